"""What several media share: tables, numbers, the choice of cells, and sentences."""
