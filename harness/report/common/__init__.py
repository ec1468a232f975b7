"""What several media share: tables, numbers, order of rows, wording."""
