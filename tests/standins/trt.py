"""`tensorrt` 10 and 11 on the stand-in GPU. An engine is its ONNX graph, which ONNX Runtime computes on the host."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime

from standins.gpu import Gpu

ELEMENTS = {1: "FLOAT", 10: "HALF", 3: "INT8"}  # onnx.TensorProto.DataType → tensorrt.DataType


def module(gpu: Gpu, version: str) -> ModuleType:
    """The module `tensorrt` of a version; what 11 has removed or deprecated is not there in 11."""
    eleven = int(version.split(".")[0]) >= 11
    trt: Any = ModuleType("tensorrt")
    trt.__version__ = version
    trt.ILogger, trt.IProgressMonitor = ILogger, IProgressMonitor
    trt.TensorIOMode, trt.DataType = TensorIOMode, DataType
    trt.ProfilingVerbosity, trt.LayerInformationFormat = ProfilingVerbosity, LayerInformationFormat
    trt.BuilderFlag = BuilderFlag11 if eleven else BuilderFlag10
    if not eleven:
        trt.NetworkDefinitionCreationFlag = NetworkDefinitionCreationFlag
    trt.Builder = lambda logger: Builder(logger, gpu, version)
    trt.OnnxParser = OnnxParser
    trt.Runtime = lambda logger: Runtime(logger, gpu, version)
    trt.nptype = nptype
    return trt


class Severity(enum.IntEnum):
    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2
    INFO = 3


class ILogger:
    Severity = Severity

    def __init__(self):
        self.ready = True  # pybind11 refuses a subclass that does not call this


class IProgressMonitor:
    def __init__(self):
        self.ready = True


TensorIOMode = enum.Enum("TensorIOMode", "NONE INPUT OUTPUT")
DataType = enum.Enum("DataType", "FLOAT HALF INT8 BF16")
ProfilingVerbosity = enum.Enum("ProfilingVerbosity", "LAYER_NAMES_ONLY NONE DETAILED")
LayerInformationFormat = enum.Enum("LayerInformationFormat", "ONELINE JSON")
BuilderFlag10 = enum.IntEnum("BuilderFlag", {"FP16": 0, "INT8": 1, "TF32": 6})
BuilderFlag11 = enum.IntEnum("BuilderFlag", {"TF32": 6})
NetworkDefinitionCreationFlag = enum.IntEnum(
    "NetworkDefinitionCreationFlag", {"EXPLICIT_BATCH": 0, "STRONGLY_TYPED": 1}
)


def nptype(dtype):
    known = {"FLOAT": np.float32, "HALF": np.float16, "INT8": np.int8}
    if dtype.name not in known:
        raise TypeError("Could not resolve TensorRT datatype to an equivalent numpy datatype.")
    return known[dtype.name]


class Builder:
    def __init__(self, logger, gpu, version):
        assert logger.ready
        self.logger, self.gpu, self.version = logger, gpu, version

    def create_network(self, flags=0):
        self.gpu.calls.append(f"create_network {flags}")
        return Network(flags, version=self.version)

    def create_builder_config(self):
        return Config(self.gpu, self.version)

    def build_serialized_network(self, network, config):
        if network.path is None:
            self.logger.log(Severity.ERROR, "Network must have at least one output")
            return None
        timed = {node.op_type for node in network.graph.node}
        if config.progress_monitor:
            config.advance(timed)
        known = config.cache.kernels if config.cache else []
        config.fresh = sorted(timed - set(known))  # what had to be timed
        if config.cache:
            config.cache.kernels = sorted(timed | set(known))
        card = {
            "version": self.version, "gpu": self.gpu.name, "strongly_typed": network.strongly_typed,
            "flags": sorted(flag.name for flag in config.flags), "verbosity": config.profiling_verbosity.name,
            "timed": config.fresh,
        }  # fmt: skip
        return memoryview(b"ftrt" + json.dumps(card).encode() + b"\0" + Path(network.path).read_bytes())


class Network:
    def __init__(self, flags, version):
        self.strongly_typed = version.startswith("11.") or bool(
            flags & 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED
        )
        self.path = None

    def load(self, path):
        self.path, self.graph = path, onnx.load(path).graph


class Config:
    def __init__(self, gpu, version):
        self.profiling_verbosity = ProfilingVerbosity.LAYER_NAMES_ONLY
        self.flags = {BuilderFlag11.TF32}  # enabled by default
        self.cache = self.progress_monitor = None
        self._where = [gpu.name, version]

    def advance(self, timed):
        """Tell the monitor of every step."""
        self.progress_monitor.phase_start("Building Engine", None, 1)
        self.progress_monitor.phase_start("Tactic Selection", "Building Engine", len(timed))
        for step in range(len(timed)):
            assert self.progress_monitor.step_complete("Tactic Selection", step), "False cancels the build"
        self.progress_monitor.phase_finish("Tactic Selection")
        assert self.progress_monitor.step_complete("Building Engine", 0)
        self.progress_monitor.phase_finish("Building Engine")

    def clear_flag(self, flag):
        self.flags.discard(flag)

    def create_timing_cache(self, serialized_timing_cache):
        if not serialized_timing_cache:
            return TimingCache(self._where, [])
        try:
            return TimingCache(*json.loads(bytes(serialized_timing_cache)))
        except ValueError:
            raise SystemError("a native crash: these bytes were not written by TensorRT") from None

    def set_timing_cache(self, cache, ignore_mismatch):
        if cache.where != self._where and not ignore_mismatch:
            return False
        self.cache = cache
        return True

    def get_timing_cache(self):
        return self.cache


class TimingCache:
    def __init__(self, where, kernels):
        self.where, self.kernels = where, kernels

    def serialize(self):
        return memoryview(json.dumps([self.where, self.kernels]).encode())


class OnnxParser:
    """Knows no operator called `Unsupported`."""

    def __init__(self, network, logger):
        self._network, self._errors = network, []

    def parse_from_file(self, model):
        graph = onnx.load(model).graph
        self._errors = [ParserError(node) for node in graph.node if node.op_type == "Unsupported"]
        if not self._errors:
            self._network.load(model)
        return not self._errors

    @property
    def num_errors(self):
        return len(self._errors)

    def get_error(self, index):
        return self._errors[index]


class ParserError:
    def __init__(self, node):
        self._node = node

    def desc(self):
        return f"No importer registered for op: {self._node.op_type}.\nsecond line"

    def node_name(self):
        return self._node.name

    def node_operator(self):
        return self._node.op_type


class Runtime:
    def __init__(self, logger, gpu, version):
        self._logger, self._gpu, self._version = logger, gpu, version

    def deserialize_cuda_engine(self, plan):
        assert plan[:4] == b"ftrt"
        card, _, graph = plan[4:].partition(b"\0")
        card = json.loads(card)
        if card["version"] != self._version:
            self._logger.log(
                Severity.ERROR,
                "IRuntime::deserializeCudaEngine: the engine plan file is not compatible with this version of "
                f"TensorRT, expecting library version {card['version']} got {self._version}",
            )
            return None
        return Engine(self._gpu, card, graph)


class Engine:
    device_memory_size_v2 = 1000

    def __init__(self, gpu, card, graph):
        self.gpu, self.card, self.model = gpu, card, onnx.load_from_string(graph)
        self.session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        self.tensors = {
            value.name: (mode, value)
            for mode, values in (
                (TensorIOMode.INPUT, self.model.graph.input),
                (TensorIOMode.OUTPUT, self.model.graph.output),
            )
            for value in values
        }

    @property
    def num_io_tensors(self):
        return len(self.tensors)

    def get_tensor_name(self, index):
        return list(self.tensors)[index]

    def get_tensor_mode(self, name):
        return self.tensors[name][0]

    def get_tensor_shape(self, name):
        return [dim.dim_value or -1 for dim in self.tensors[name][1].type.tensor_type.shape.dim]

    def get_tensor_dtype(self, name):
        return DataType[ELEMENTS.get(self.tensors[name][1].type.tensor_type.elem_type, "BF16")]

    def create_execution_context(self):
        return Context(self)

    def create_engine_inspector(self):
        return Inspector(self)


class Context:
    """Reads and writes the device's memory at the addresses it was given, when the stream gets there."""

    def __init__(self, engine):
        self._engine, self._addresses, self._batch = engine, {}, None

    def set_input_shape(self, name, shape):
        self._batch = shape[0]
        return shape[0] <= 8  # the profile's maximum

    def get_tensor_shape(self, name):
        return [self._batch if side == -1 else side for side in self._engine.get_tensor_shape(name)]

    def set_tensor_address(self, name, memory):
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle):
        assert isinstance(stream_handle, int)
        if set(self._addresses) != set(self._engine.tensors):
            return False
        self._engine.gpu.calls.append("execute_async_v3")
        self._engine.gpu.queue.append(self._execute)
        return True

    def _execute(self):
        gpu, feeds = self._engine.gpu, {}
        for name, (mode, _) in self._engine.tensors.items():
            if mode is TensorIOMode.INPUT:
                shape, dtype = self.get_tensor_shape(name), np.dtype(nptype(self._engine.get_tensor_dtype(name)))
                content = gpu.read(self._addresses[name], int(np.prod(shape)) * dtype.itemsize)
                feeds[name] = np.frombuffer(content, dtype).reshape(shape)
        outputs = [name for name, (mode, _) in self._engine.tensors.items() if mode is TensorIOMode.OUTPUT]
        for name, value in zip(outputs, self._engine.session.run(outputs, feeds), strict=True):
            gpu.write(self._addresses[name], value.tobytes())
        gpu.now_ms += 1.5


class Inspector:
    """Reports a kernel for every convolution and matrix product of the graph, in the type of its first input."""

    execution_context = None

    def __init__(self, engine):
        self._engine = engine

    def get_engine_information(self, layer_format):
        assert layer_format is LayerInformationFormat.JSON
        graph = onnx.shape_inference.infer_shapes(self._engine.model).graph
        nodes = [node for node in graph.node if node.op_type in ("Conv", "MatMul", "Gemm")]
        if self._engine.card["verbosity"] != "DETAILED":
            return json.dumps({"Layers": [node.name for node in nodes]})
        return json.dumps({"Layers": [self._layer(node, graph) for node in nodes], "Bindings": []})

    def _layer(self, node, graph):
        makers = {output: maker for maker in graph.node for output in maker.output}
        values = {value.name: value.type.tensor_type for value in (*graph.value_info, *graph.input, *graph.output)}
        constants = {constant.name: list(constant.dims) for constant in graph.initializer}

        def tensor(name):
            maker, value = makers.get(name), values[name]
            kind = ELEMENTS[3 if maker is not None and maker.op_type == "DequantizeLinear" else value.elem_type]
            shape = [dim.dim_value for dim in value.shape.dim]
            return {"Name": name, "Location": "Device", "Dimensions": shape, "Format/Datatype": kind.title()}

        given = [tensor(name) for name in node.input if name in values]
        tf32 = given[0]["Format/Datatype"] == "Float" and "TF32" in self._engine.card["flags"]
        weights = constants.get(node.input[1]) or given[-1]["Dimensions"]
        return {
            "Name": node.name,
            "LayerType": "CaskConvolution" if node.op_type == "Conv" else "gemm",
            "Inputs": given,
            "Outputs": [tensor(name) for name in node.output],
            "Weights": {"Type": given[0]["Format/Datatype"], "Count": int(np.prod(weights))},
            "TacticName": "sm80_xmma_fprop_implicit_gemm_" + ("f32f32_tf32f32_f32" if tf32 else "generic"),
            "Metadata": f"[ONNX Layer: {node.name}]",
        }
