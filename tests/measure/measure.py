"""What a prompt token and a cached token cost beside an output token: energy on one NVIDIA GPU, by the card's own counter.

    measure.py run [--tiny] [--models NAME ..] [--out FOLDER] [--resume] [--seed N] ..
    measure.py report FOLDER                 ratios.csv, ranges.csv and ratios.svg again, from points.csv
    measure.py compare POINTS.csv POINTS.csv  two runs, point by point, against their spreads

Decoder-only transformers of published shapes are built with random weights in bf16 and do one thing over and over: read a prompt (`prefill`), read the rest of
a prompt whose head is cached (`cached`), or write one token for each sequence of a batch (`decode`). Each such point has a warm-up under its own load, then
repetitions of some seconds. Energy of a step = mean power between two ticks of the counter * mean time of a step; the power readings, integrated, check it.
No setting of the card is changed; clocks, temperature and reasons to slow down are written as found. README.md says what this can and cannot tell.

With --tiny it runs anywhere, in about a minute, on models of a toy's size. Without a CUDA device the meter is a stand-in (RAPL where it can be read, otherwise
time alone); every row says so, the files are called `stand-in-*`, and they are refused where the table lives.

The parts, in order: shapes, meters, one measured point, the models (all that needs torch), the table, ratios, figure, commands.
"""

import argparse
import csv
import dataclasses
import datetime
import gc
import importlib.metadata
import itertools
import math
import os
import platform
import statistics
import sys
import time
import typing
import warnings
from collections import defaultdict, deque
from pathlib import Path
from xml.sax.saxutils import escape

# ---------------------------------------------------------------- shapes

# From config.json of the makers' model repositories of these names; the papers have the same: Llama 3, arXiv:2407.21783, table 3; Qwen3, arXiv:2505.09388,
# table 2. check.py holds them to the published parameter counts. What costs nothing (scaling of the rotary embedding, its base) is left out.
LLAMA = {"model_type": "llama", "vocab_size": 128256, "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5}
SHAPES = {
    # meta-llama/Llama-3.1-8B: dense
    "llama-3.1-8b": {
        **LLAMA,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
    },
    # meta-llama/Llama-3.1-70B: dense, in bf16 larger than the memory of most cards
    "llama-3.1-70b": {
        **LLAMA,
        "hidden_size": 8192,
        "intermediate_size": 28672,
        "num_hidden_layers": 80,
        "num_attention_heads": 64,
    },
    # Qwen/Qwen3-30B-A3B: a mixture of 128 experts, 8 of them for a token
    "qwen3-30b-a3b": {
        "model_type": "qwen3_moe",
        "vocab_size": 151936,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "moe_intermediate_size": 768,
        "num_hidden_layers": 48,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "norm_topk_prob": True,
        "max_position_embeddings": 40960,
        "rms_norm_eps": 1e-6,
    },
}
TOY = {
    "vocab_size": 1024,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 16,
}
TINY_SHAPES = {
    "tiny-dense": {"model_type": "llama", **TOY},
    "tiny-moe": {"model_type": "qwen3_moe", **TOY, "moe_intermediate_size": 64, "num_experts": 8, "num_experts_per_tok": 2, "norm_topk_prob": True},
}
# Of a card's memory, what the weights may fill; the rest is for the cache and what a step works on. Deeper shapes lose layers.
WEIGHTS_SHARE = 0.7
BYTES = 2  # of a bf16
# How far logits may differ by rounding, which among experts can send a token to another one.
SAME_LOGITS = 0.3


@dataclasses.dataclass(frozen=True)
class Point:
    """A step that is repeated: `batch` sequences, each with `cached` tokens in the cache, take in `new` ones."""

    mode: str  # prefill, cached, decode
    batch: int
    cached: int
    new: int

    @property
    def context(self):
        """Tokens that the last one of a sequence attends to, itself included."""
        return self.cached + self.new

    @property
    def tokens(self):
        """Tokens that one step takes in, or writes."""
        return self.batch * self.new


@dataclasses.dataclass(frozen=True)
class Grid:
    """The points to measure, and for how long each."""

    prompts: tuple = (256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
    contexts: tuple = (256, 1024, 4096, 16384, 32768)
    batches: tuple = (1, 4, 16, 64, 256)
    prefixed: tuple = (4096, 32768)
    shares: tuple = (0.5, 0.75, 0.9, 0.95)
    warm_s: float = 2.0
    seconds: float = 2.0
    repetitions: int = 5
    idle_s: float = 10.0
    chunk_s: float = 0.25

    def points(self):
        """Every point once; each cached one has its prefill without a prefix beside it, as the difference of the two is what counts."""
        found = [Point("prefill", 1, 0, prompt) for prompt in self.prompts]
        for prompt in self.prefixed:
            for share in self.shares:
                new = prompt - round(prompt * share)
                found += [Point("prefill", 1, 0, new), Point("cached", 1, prompt - new, new)]
        found += [Point("decode", batch, context - 1, 1) for batch in self.batches for context in self.contexts]
        return list(dict.fromkeys(found))


TINY = Grid((16, 64, 128), (16, 64, 128), (1, 4, 16), (128,), (0.5, 0.95), warm_s=0.15, seconds=0.25, repetitions=3, idle_s=0.3, chunk_s=0.02)

# ---------------------------------------------------------------- meters


@dataclasses.dataclass(frozen=True)
class Sample:
    """One look at a meter: `counter` in the meter's unit (J, or s for the stand-in), None where the card has none; `watts` likewise."""

    at: float
    counter: float | None
    watts: float | None


class TimeMeter:
    """A stand-in where nothing tells energy: its counter is the clock, so that "energy" per token is seconds per token."""

    name, unit, stand_in = "time only", "s", True

    def clock(self):
        return time.perf_counter()

    def sample(self):
        now = self.clock()
        return Sample(now, now, None)

    def state(self):
        return {}

    def device(self):
        return {"device": f"{platform.machine()} CPU", "driver": "", "power_limit_w": None}


class RaplMeter(TimeMeter):
    """A stand-in: energy of the first processor package, which wraps at its own maximum."""

    name, unit, stand_in = "RAPL package 0", "J", True
    FOLDER = Path("/sys/class/powercap/intel-rapl:0")

    def __init__(self):
        self.wrap = int((self.FOLDER / "max_energy_range_uj").read_text()) / 1e6
        self.last, self.turns = self._read(), 0

    def _read(self):
        return int((self.FOLDER / "energy_uj").read_text()) / 1e6

    def sample(self):
        now = self._read()
        self.turns += now < self.last
        self.last = now
        return Sample(self.clock(), now + self.turns * self.wrap, None)


class NvmlMeter(TimeMeter):
    """The card's total energy counter in mJ; where a card has none, its power readings alone, and the name says so."""

    unit, stand_in = "J", False
    REASONS: typing.ClassVar = {0x4: "power cap", 0x8: "hardware slowdown", 0x20: "thermal", 0x40: "hardware thermal", 0x80: "power brake"}

    def __init__(self, uuid):
        import pynvml

        pynvml.nvmlInit()
        self.nvml = pynvml
        try:
            self.card = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        except pynvml.NVMLError:
            # Some virtual machines show CUDA another id than NVML; with a single card there is no doubt.
            if pynvml.nvmlDeviceGetCount() != 1:
                raise
            self.card = pynvml.nvmlDeviceGetHandleByIndex(0)
        self.counts = self._try("nvmlDeviceGetTotalEnergyConsumption") is not None
        self.name = "NVML total energy" if self.counts else "NVML power, integrated"

    def _try(self, function, *arguments):
        try:
            return getattr(self.nvml, function)(self.card, *arguments)
        except (self.nvml.NVMLError, AttributeError):
            return None

    def _watts(self):
        # The instant reading; the older call averages over a second on recent cards.
        field = (self._try("nvmlDeviceGetFieldValues", [self.nvml.NVML_FI_DEV_POWER_INSTANT]) or [None])[0]
        if field is not None and field.nvmlReturn == 0:
            return field.value.uiVal / 1e3
        milliwatts = self._try("nvmlDeviceGetPowerUsage")
        return None if milliwatts is None else milliwatts / 1e3

    def sample(self):
        millijoules = self._try("nvmlDeviceGetTotalEnergyConsumption") if self.counts else None
        return Sample(self.clock(), None if millijoules is None else millijoules / 1e3, self._watts())

    def state(self):
        bits = self._try("nvmlDeviceGetCurrentClocksEventReasons") or self._try("nvmlDeviceGetCurrentClocksThrottleReasons") or 0
        return {
            "temperature_c": self._try("nvmlDeviceGetTemperature", self.nvml.NVML_TEMPERATURE_GPU),
            "sm_mhz": self._try("nvmlDeviceGetClockInfo", self.nvml.NVML_CLOCK_SM),
            "memory_mhz": self._try("nvmlDeviceGetClockInfo", self.nvml.NVML_CLOCK_MEM),
            "slowed_by": [name for bit, name in self.REASONS.items() if bits & bit],
        }

    def device(self):
        limit = self._try("nvmlDeviceGetEnforcedPowerLimit")
        driver = self.nvml.nvmlSystemGetDriverVersion()
        return {"device": self._try("nvmlDeviceGetName") or "", "driver": driver, "power_limit_w": None if limit is None else limit / 1e3}


def find_meter(cuda_uuid, tiny):
    """NVML for a CUDA device; without a device, a stand-in. A device whose NVML cannot be read is refused, but for toys, which get the clock: what meters
    the processor says nothing of a card."""
    if cuda_uuid is not None:
        try:
            return NvmlMeter(cuda_uuid)
        except Exception as error:  # of pynvml, whose errors are known only where it could be imported
            if tiny:
                return TimeMeter()
            cure = "install nvidia-ml-py and the driver's libnvidia-ml"
            raise SystemExit(f"measure: the card's energy cannot be read through NVML ({type(error).__name__}: {error}): {cure}") from None
    try:
        return RaplMeter()
    except OSError:
        return TimeMeter()


def integral(samples):
    """Energy in J under the power readings, by the trapezoid rule; None where there are fewer than two."""
    read = [sample for sample in samples if sample.watts is not None]
    if len(read) < 2:
        return None
    return sum((after.at - before.at) * (after.watts + before.watts) / 2 for before, after in itertools.pairwise(read))


def mean_rate(samples):
    """Mean of the counter's unit per second (W, for J). Between the counter's first and last tick, as it moves in steps of up to 0.1 s; over everything
    where the ticks span less than half. Without a counter, from the power readings."""
    first, last = samples[0], samples[-1]
    if first.counter is None:
        joules = integral(samples)
        return None if joules is None else joules / (last.at - first.at)
    ticks = [after for before, after in itertools.pairwise(samples) if after.counter != before.counter]
    if len(ticks) > 1 and ticks[-1].at - ticks[0].at >= (last.at - first.at) / 2:
        first, last = ticks[0], ticks[-1]
    return (last.counter - first.counter) / (last.at - first.at)


# ---------------------------------------------------------------- one measured point


@dataclasses.dataclass(frozen=True)
class Window:
    """One repetition: `step` in the meter's unit for a step, `rate` per second, `check` power readings over counter, `states` as found under load."""

    step_s: float
    steps: int
    rate: float
    check: float | None
    states: list

    @property
    def step(self):
        return self.rate * self.step_s


def observe(work, meter, seconds, chunk):
    """Runs `work` for at least `seconds`. Two chunks of steps are always queued, so that the device never waits for the looks at the meter."""
    samples, states, pending, steps = [meter.sample()], [], deque(), 0
    while not steps or meter.clock() - samples[0].at < seconds:
        pending.append(work.launch(chunk))
        steps += chunk
        states.append(meter.state())
        if len(pending) == 2:
            work.wait(pending.popleft(), lambda: samples.append(meter.sample()))
    while pending:
        work.wait(pending.popleft(), lambda: samples.append(meter.sample()))
    samples.append(meter.sample())
    elapsed = samples[-1].at - samples[0].at
    rate, joules = mean_rate(samples), integral(samples)
    # Too short for the counter to move: the caller decides whether that matters.
    check = joules / elapsed / rate if joules is not None and rate else None
    return Window(elapsed / steps, steps, rate, check, states)


def measure(work, meter, grid):
    """Warms up under the load itself, then repeats."""
    observe(work, meter, 0, 1)
    warm = observe(work, meter, grid.warm_s, 1)
    chunk = max(1, min(10_000, round(grid.chunk_s / warm.step_s)))
    windows = [observe(work, meter, grid.seconds, chunk) for _ in range(grid.repetitions)]
    if not all(window.rate for window in windows):
        raise SystemExit(f"measure: the meter did not move within {grid.seconds} s: longer --seconds are needed")
    return windows


def watch_idle(meter, seconds):
    """Rate per second while nothing runs, after half the time to settle; None from a meter that is a clock."""
    time.sleep(seconds / 2)
    samples = [meter.sample()]
    while meter.clock() - samples[0].at < seconds:
        time.sleep(0.02)
        samples.append(meter.sample())
    return None if meter.unit == "s" else mean_rate(samples)


# ---------------------------------------------------------------- the models


class NoRoom(Exception):
    """The point does not fit into the device's memory."""


def attend(module, query, key, value, attention_mask, scaling=None, **_):
    """Causal attention, aligned at the last token, with grouped heads. On a GPU flash attention or an error, never a slower kernel in silence."""
    import torch
    from torch.nn.attention import SDPBackend, bias, sdpa_kernel

    new, context = query.shape[2], key.shape[2]
    grouped = {"scale": scaling, "enable_gqa": query.shape[1] != key.shape[1]}
    kernels = [SDPBackend.FLASH_ATTENTION] if query.is_cuda else [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]
    if new == 1:
        causal = {}
    elif new == context:
        causal = {"is_causal": True}
    else:
        causal = {"attn_mask": bias.causal_lower_right(new, context)}
    with sdpa_kernel(kernels):
        out = torch.nn.functional.scaled_dot_product_attention(query, key, value, **causal, **grouped)
    return out.transpose(1, 2).contiguous(), None


def held_cache(model, batch, room, at):
    """A key-value cache of `room` tokens filled with noise, that takes new tokens at `at` in place: nothing is copied as a growing cache would,
    and every step finds the same state."""
    import torch
    from transformers.cache_utils import Cache, CacheLayerMixin

    config = model.config
    size = (batch, config.num_key_value_heads, room, config.head_dim)

    class Held(CacheLayerMixin):
        def __init__(self):
            super().__init__()
            self.keys, self.values = (torch.randn(size, dtype=torch.bfloat16, device=model.device) for _ in range(2))
            self.is_initialized, self.at = True, at

        def lazy_initialization(self, key_states, value_states):
            pass

        def update(self, key_states, value_states, *_, **__):
            end = self.at + key_states.shape[2]
            self.keys[:, :, self.at : end] = key_states
            self.values[:, :, self.at : end] = value_states
            return self.keys[:, :, :end], self.values[:, :, :end]

        def get_mask_sizes(self, query_length):
            return self.at + query_length, 0

        def get_seq_length(self):
            return self.at

        def get_max_length(self):
            return room

    return Cache(layers=[Held() for _ in range(config.num_hidden_layers)])


class Work:
    """A point on a model, ready to run: as a CUDA graph where that can be had, so that launching is not what is measured."""

    POLL_S = 0.005

    def __init__(self, model, point):
        import torch

        self.torch, self.model, self.cuda = torch, model, model.device.type == "cuda"
        config = model.config
        needed = 2 * BYTES * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * point.batch * point.context
        if self.cuda and needed > 0.9 * torch.cuda.mem_get_info()[0]:
            raise NoRoom
        self.ids = torch.randint(config.vocab_size, (point.batch, point.new), device=model.device)
        self.positions = torch.arange(point.cached, point.context, device=model.device)[None].expand(point.batch, -1)
        self.graph, self.eager_because = None, "" if self.cuda else "no CUDA"
        try:
            self.cache = held_cache(model, point.batch, point.context, point.cached)
            self.kernel = self._kernel()
            if self.cuda:
                self._capture()
        except torch.cuda.OutOfMemoryError:
            raise NoRoom from None

    def step(self):
        """The model's forward pass; logits and the choice of a token for the last position alone, as a server does."""
        out = self.model(input_ids=self.ids, position_ids=self.positions, past_key_values=self.cache, use_cache=True, logits_to_keep=1)
        return out.logits[:, -1].argmax(-1)

    def _kernel(self):
        """Name of the attention kernel that takes the most time of a step, as the profiler saw it."""
        from torch.profiler import ProfilerActivity, profile

        self.step()
        try:
            with profile(activities=[ProfilerActivity.CUDA if self.cuda else ProfilerActivity.CPU], acc_events=True) as seen:
                self.step()
                if self.cuda:
                    self.torch.cuda.synchronize()
        except self.torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError as error:
            # Not every machine lets a profiler look at its card.
            return f"not seen: {str(error).splitlines()[0]}"
        took = (lambda event: event.self_device_time_total) if self.cuda else (lambda event: event.self_cpu_time_total)
        found = [event for event in seen.key_averages() if any(word in event.key for word in ("flash", "fmha", "attention"))]
        return max(found, key=took).key.split("<")[0] if found else "not seen"

    def _capture(self):
        torch = self.torch
        aside, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
        aside.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(aside):
                self.step()
                torch.cuda.synchronize()
                torch.cuda.empty_cache()
                graph.capture_begin()
                try:
                    self.chosen = self.step()
                finally:
                    graph.capture_end()
            self.graph = graph
        except RuntimeError as error:
            # The step runs without a graph, too: it just did.
            self.eager_because = str(error).splitlines()[0]
        torch.cuda.synchronize()

    def launch(self, steps):
        for _ in range(steps):
            if self.graph is None:
                self.step()
            else:
                self.graph.replay()
        if not self.cuda:
            return None
        done = self.torch.cuda.Event()
        done.record()
        return done

    def wait(self, done, look):
        look()
        while done is not None and not done.query():
            time.sleep(self.POLL_S)
            look()


class Bench:
    """The device with one model on it."""

    def __init__(self, tiny, seed):
        os.environ.setdefault("KINETO_LOG_LEVEL", "5")  # the profiler's; it reports the missing GPU as an error
        warnings.filterwarnings("ignore", "Profiler clears events")
        import torch
        import transformers

        transformers.AttentionInterface.register("measured", attend)
        transformers.logging.set_verbosity_error()
        torch.set_grad_enabled(False)
        self.torch, self.transformers, self.seed, self.model = torch, transformers, seed, None
        self.cuda = torch.cuda.is_available()
        if not self.cuda and not tiny:
            raise SystemExit("measure: no CUDA device is there; without one only --tiny runs, and it measures nothing that counts")
        self.device = torch.device("cuda" if self.cuda else "cpu")

    def uuid(self):
        return f"GPU-{self.torch.cuda.get_device_properties(0).uuid}" if self.cuda else None

    def versions(self):
        named = {name: importlib.metadata.version(name) for name in ("torch", "transformers")}
        return {**named, "cuda": self.torch.version.cuda or "", "python": platform.python_version()}

    def build(self, shape):
        """A model of that shape with random weights, as deep as memory allows; what it is goes into every row."""
        self.drop()
        config = self.transformers.AutoConfig.for_model(**shape)
        layer, around = weight_bytes(shape)
        if self.cuda:
            room = WEIGHTS_SHARE * self.torch.cuda.mem_get_info()[0]
            config.num_hidden_layers = max(1, min(shape["num_hidden_layers"], int((room - around) // layer)))
        self.torch.manual_seed(self.seed)
        kinds = {"experts_implementation": "grouped_mm"} if "num_experts" in shape else {}
        with self.device:
            model = self.transformers.AutoModelForCausalLM.from_config(config, attn_implementation="measured", dtype=self.torch.bfloat16, **kinds)
        self.model = model.eval()
        deviation = self.deviation()
        if deviation > SAME_LOGITS:
            raise SystemExit(f"measure: behind a cached prefix the logits differ by {deviation:.2g}: that is another computation, not worth measuring")
        total = sum(weights.numel() for weights in self.model.parameters())
        experts = sum(weights.numel() for name, weights in self.model.named_parameters() if ".experts." in name)
        resting = experts * (1 - shape["num_experts_per_tok"] / shape["num_experts"]) if experts else 0
        return {
            "layers": config.num_hidden_layers,
            "layers_published": shape["num_hidden_layers"],
            "parameters_b": significant(total / 1e9),
            "active_b": significant((total - resting) / 1e9),
            "cached_is_plain": significant(deviation),
        }

    def deviation(self):
        """How far the logits after a cached half of a prompt are from those after all of it at once, relative to their size: what is measured as
        `cached` must be the same computation. Of a wrong prefix it is about 1."""
        prompt = 64
        ids = self.torch.randint(self.model.config.vocab_size, (1, prompt), device=self.device)

        def read(cache, begin, end):
            positions = self.torch.arange(begin, end, device=self.device)[None]
            for layer in cache.layers:
                layer.at = begin
            return self.model(input_ids=ids[:, begin:end], position_ids=positions, past_key_values=cache, logits_to_keep=1).logits.float()

        whole = read(held_cache(self.model, 1, prompt, 0), 0, prompt)
        halves = held_cache(self.model, 1, prompt, 0)
        read(halves, 0, prompt // 2)
        last = read(halves, prompt // 2, prompt)
        return ((whole - last).norm() / whole.norm()).item()

    def work(self, point):
        self.free()
        self.torch.manual_seed(self.seed)
        return Work(self.model, point)

    def drop(self):
        self.model = None
        self.free()

    def free(self):
        gc.collect()
        if self.cuda:
            self.torch.cuda.empty_cache()


def weight_bytes(shape):
    """Bytes of one layer's weights, and of those around the layers (embedding and head); norms are left out."""
    hidden, heads, cached, size = (shape[key] for key in ("hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim"))
    attention = 2 * hidden * heads * size + 2 * hidden * cached * size
    wide = shape["num_experts"] * (3 * shape["moe_intermediate_size"] + 1) if "num_experts" in shape else 3 * shape["intermediate_size"]
    return BYTES * (attention + hidden * wide), BYTES * 2 * hidden * shape["vocab_size"]


# ---------------------------------------------------------------- the table


@dataclasses.dataclass
class Row:
    """A measured point with all its conditions. `per_token`, in `unit`, is the median of the repetitions, low and high the least and the most; the mode
    `idle` has `mean_w` alone. `power_over_counter` is the check: the integrated power readings over the counter."""

    model: str
    mode: str
    batch: int | None = None
    context: int | None = None
    cached: int | None = None
    new: int | None = None
    status: str = "ok"
    unit: str = "J"
    per_token: float | None = None
    per_token_low: float | None = None
    per_token_high: float | None = None
    repetitions: int | None = None
    seconds: float | None = None
    steps: int | None = None
    step_s: float | None = None
    mean_w: float | None = None
    idle_w: float | None = None
    power_over_counter: float | None = None
    temperature_c_low: float | None = None
    temperature_c_high: float | None = None
    sm_mhz_low: float | None = None
    sm_mhz_high: float | None = None
    memory_mhz: float | None = None
    slowed_by: str = ""
    power_limit_w: float | None = None
    layers: int | None = None
    layers_published: int | None = None
    parameters_b: float | None = None
    active_b: float | None = None
    cached_is_plain: float | None = None
    weights: str = "random bf16"
    attention_kernel: str = ""
    cuda_graph: str = ""
    meter: str = ""
    stand_in: str = "no"
    device: str = ""
    driver: str = ""
    cuda: str = ""
    torch: str = ""
    transformers: str = ""
    python: str = ""
    seed: int | None = None
    started_utc: str = ""

    @property
    def key(self):
        """What makes two rows the same point of the same thing."""
        return (self.model, self.layers, self.mode, self.batch, self.cached, self.new)

    @property
    def tokens(self):
        return self.batch * self.new


class Unusable(ValueError):
    """A table that cannot be read or compared, and why."""


def significant(value, digits=6):
    """Rounded, so that a file shows no digits that nobody measured and reads back as the same number."""
    return None if value is None else float(f"{value:.{digits}g}")


def write_rows(path, rows):
    """CSV with a header; None is an empty field."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = [field.name for field in dataclasses.fields(rows[0])]
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(names)
        table.writerows(["" if (value := getattr(row, name)) is None else value for name in names] for row in rows)


def read_rows(path, kind=Row):
    """What `write_rows` wrote. Anything else is `Unusable`, which names the file and, of a field, its line and column."""
    types = {field.name: field.type for field in dataclasses.fields(kind)}

    def parse(name, text, line):
        if text is None:
            raise Unusable(f"{path}, line {line}: the row ends before {name}")
        if types[name] is str:
            return text
        try:
            return None if text == "" else int(text) if types[name] == int | None else float(text)
        except ValueError:
            raise Unusable(f"{path}, line {line}: {name} is no number: {text!r}") from None

    with open(path, newline="", encoding="utf-8") as file:
        table = csv.DictReader(file, restkey="")
        try:
            if table.fieldnames != list(types):
                raise Unusable(f"{path}: the columns are not those of this version: {table.fieldnames}")
            rows = []
            for fields in table:
                if "" in fields:
                    raise Unusable(f"{path}, line {table.line_num}: the row has more fields than the header")
                rows.append(kind(**{name: parse(name, text, table.line_num) for name, text in fields.items()}))
            return rows
        except (UnicodeDecodeError, csv.Error) as error:
            raise Unusable(f"{path} is no CSV: {error}") from None


def measured_row(base, point, work, meter, grid):
    """Measures a point and gives its row, `base` being the conditions that all points of a model share."""
    windows = measure(work, meter, grid)
    per_token = [window.step / point.tokens for window in windows]
    states = [state for window in windows for state in window.states]
    seen = {name: [state[name] for state in states if state.get(name) is not None] for name in ("temperature_c", "sm_mhz", "memory_mhz")}
    ends = {f"{name}_{end}": pick(seen[name], default=None) for name in ("temperature_c", "sm_mhz") for end, pick in (("low", min), ("high", max))}
    checks = [window.check for window in windows if window.check is not None]
    return dataclasses.replace(
        base,
        **described(point),
        per_token=significant(statistics.median(per_token)),
        per_token_low=significant(min(per_token)),
        per_token_high=significant(max(per_token)),
        repetitions=len(windows),
        seconds=significant(sum(window.step_s * window.steps for window in windows) / len(windows)),
        steps=sum(window.steps for window in windows),
        step_s=significant(statistics.median(window.step_s for window in windows)),
        mean_w=significant(statistics.median(window.rate for window in windows)) if meter.unit == "J" else None,
        power_over_counter=significant(statistics.median(checks)) if checks else None,
        memory_mhz=statistics.median(seen["memory_mhz"]) if seen["memory_mhz"] else None,
        slowed_by=" + ".join(sorted({reason for state in states for reason in state.get("slowed_by", ())})),
        attention_kernel=work.kernel,
        cuda_graph=f"no: {work.eager_because}" if work.eager_because else "yes",
        started_utc=now_utc(),
        **ends,
    )


def described(point):
    return {"mode": point.mode, "batch": point.batch, "context": point.context, "cached": point.cached, "new": point.new}


def now_utc():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


# ---------------------------------------------------------------- ratios


@dataclasses.dataclass
class Ratio:
    """A cost over the cost of an output token of the same model, at that context, in that batch. Low and high come from the ends of the repetitions.

    input/output         a token of a prompt of that length, read alone
    cache_read/output    a cached token of such a prompt: (reading the rest behind the cached head - reading the rest alone) / cached tokens
    held/output          what a token of the context, cached or not, adds to writing `answer` tokens behind it
    cache_read+held/output   the last two together
    cache_read/input     the second over the first; the batch plays no role
    """

    quantity: str
    model: str
    batch: int | None
    context: int
    cached_share: float | None
    answer: int | None
    value: float
    low: float
    high: float
    unit: str
    stand_in: str


@dataclasses.dataclass
class Range:
    """Over all models: the ratios of a quantity, together or at one batch or one context."""

    quantity: str
    by: str
    at: int | None
    ratios: int
    low: float
    least: float
    median: float
    most: float
    high: float
    unit: str
    stand_in: str


@dataclasses.dataclass(frozen=True)
class Interval:
    """A value between two ends; the arithmetic takes the ends that are furthest apart."""

    value: float
    low: float
    high: float

    def __sub__(self, other):
        return Interval(self.value - other.value, self.low - other.high, self.high - other.low)

    def __add__(self, other):
        return Interval(self.value + other.value, self.low + other.low, self.high + other.high)

    def __mul__(self, factor):
        return Interval(self.value * factor, self.low * factor, self.high * factor)

    def over(self, other):
        """Divided by what is above 0; the dividend may be below."""
        ends = [end / by for end in (self.low, self.high) for by in (other.low, other.high)]
        return Interval(self.value / other.value, min(ends), max(ends))


def ratios(rows, answer):
    """All ratios that the measured points of each model give."""
    models = defaultdict(list)
    for row in rows:
        if row.status == "ok" and row.per_token is not None:
            models[row.model, row.layers, row.unit, row.stand_in].append(row)
    found = []
    for (model, _, unit, stand_in), measured in models.items():
        for quantity, batch, context, share, tokens, interval in model_ratios(measured, answer):
            ends = (significant(end) for end in (interval.value, interval.low, interval.high))
            found.append(Ratio(quantity, model, batch, context, share, tokens, *ends, unit, stand_in))
    return found


def model_ratios(rows, answer):
    """(quantity, batch, context, cached share, answer, interval) of one model, one after the other."""

    def of(row, times=1):
        return Interval(row.per_token, row.per_token_low, row.per_token_high) * times

    reading = {row.new: row for row in rows if row.mode == "prefill"}
    marginal = {}
    for row in rows:
        if row.mode == "cached" and row.new in reading:
            share = round(row.cached / row.context, 2)
            marginal[row.context, share] = (of(row, row.tokens) - of(reading[row.new], row.new)) * (1 / row.cached)
    for (context, share), cost in marginal.items():
        if context in reading:
            yield "cache_read/input", None, context, share, None, cost.over(of(reading[context]))

    writing = {(row.batch, row.context): row for row in rows if row.mode == "decode"}
    for (batch, context), row in sorted(writing.items()):
        output = of(row)
        if context in reading:
            yield "input/output", batch, context, None, None, of(reading[context]).over(output)
        shortest = min(other for width, other in writing if width == batch)
        held = None
        if context > shortest:
            held = (output - of(writing[batch, shortest])) * (answer / (context - shortest))
            yield "held/output", batch, context, None, answer, held.over(output)
        for (prompt, share), cost in marginal.items():
            if prompt == context:
                yield "cache_read/output", batch, context, share, None, cost.over(output)
                if held is not None:
                    yield "cache_read+held/output", batch, context, share, answer, (cost + held).over(output)


def ranges(found):
    """For each quantity all together, then by batch, then by context."""
    groups = defaultdict(list)
    for ratio in found:
        for by, at in (("all", None), ("batch", ratio.batch), ("context", ratio.context)):
            if by == "all" or at is not None:
                groups[ratio.quantity, by, at, ratio.unit, ratio.stand_in].append(ratio)
    ordered = sorted(groups.items(), key=lambda group: (group[0][0], group[0][1], group[0][2] or 0))
    return [
        Range(
            quantity, by, at, len(those), min(one.low for one in those), *spread([one.value for one in those]), max(one.high for one in those), unit, stand_in
        )
        for (quantity, by, at, unit, stand_in), those in ordered
    ]


def spread(values):
    """Least, median, most."""
    return min(values), significant(statistics.median(values)), max(values)


def compare(before, after, tolerance):
    """Of the points that both runs have: (first, second, whether their spreads overlap once each low end is taken lower by the share `tolerance`)."""
    earlier = {row.key: row for row in before if row.per_token is not None}
    pairs = [(earlier[row.key], row) for row in after if row.per_token is not None and row.key in earlier]
    if any((one.unit, one.stand_in, one.device) != (two.unit, two.stand_in, two.device) for one, two in pairs):
        raise Unusable("the two runs do not come from the same kind of device and meter")

    def overlap(one, two):
        return one.per_token_low * (1 - tolerance) <= two.per_token_high

    return [(one, two, overlap(one, two) and overlap(two, one)) for one, two in pairs]


def alone(rows, other):
    """The points with a value in `rows` alone."""
    there = {row.key for row in other if row.per_token is not None}
    return [row for row in rows if row.per_token is not None and row.key not in there]


# ---------------------------------------------------------------- figure

# Of gramtrace/2026.1: value and range, drawn behind what was measured.
WEIGHTS = {"input/output": (0.20, 0.05, 0.50), "cache_read/output": (0.02, 0.0, 0.10)}
COLOURS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#b8a500")
FLOOR, CEILING = 1e-5, 10.0
PANEL_W, PANEL_H, LEFT, TOP, GAP = 340, 220, 70, 84, 64


def draw(found, caption):
    """The ratios over the batch as SVG text: a line of panels a model, a colour a context; whiskers are the spread, grey is the method's weight today.
    Of cache reads it shows the largest cached share. What is not above the floor of the logarithmic axis is left out, and counted."""
    models = list(dict.fromkeys(ratio.model for ratio in found))
    quantities = list(WEIGHTS)
    colour = dict(zip(sorted({ratio.context for ratio in found if ratio.quantity in WEIGHTS}), COLOURS * 9))
    width, height = LEFT + len(quantities) * (PANEL_W + GAP), TOP + len(models) * (PANEL_H + GAP) + 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f"<title>{escape(caption[0])}</title><desc>{escape(' '.join(caption))}</desc>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        label(LEFT, 24, caption[0], size=16),
        *(label(LEFT, 44 + 16 * number, text) for number, text in enumerate(caption[1:])),
    ]
    hidden = 0
    for line, model in enumerate(models):
        for column, quantity in enumerate(quantities):
            those = [ratio for ratio in found if (ratio.model, ratio.quantity) == (model, quantity)]
            shares = [ratio.cached_share for ratio in those if ratio.cached_share is not None]
            if shares:
                those = [ratio for ratio in those if ratio.cached_share == max(shares)]
            title = f"{model}: {quantity}" + (f", {max(shares):.0%} cached" if shares else "")
            at = (LEFT + column * (PANEL_W + GAP), TOP + line * (PANEL_H + GAP))
            drawn, left_out = panel(those, at, title, WEIGHTS[quantity], colour)
            parts += drawn
            hidden += left_out
    x, y = LEFT, height - 34
    for context, paint in colour.items():
        parts += [f'<circle cx="{x}" cy="{y - 4}" r="4" fill="{paint}"/>', label(x + 8, y, f"context {context}")]
        x += 110
    note = "Across: sequences in a batch. Grey: the weight and range of gramtrace/2026.1."
    parts.append(label(LEFT, height - 12, note + (f" {hidden} values at or below {FLOOR:g} are not drawn." if hidden else "")))
    return "\n".join([*parts, "</svg>\n"])


def panel(those, at, title, weight, colour):
    """The elements of one panel, and how many values it leaves out."""
    left, top = at

    def across(batch):
        return left + 16 + (PANEL_W - 32) * math.log2(batch) / 8

    def down(value):
        inside = min(max(value, FLOOR), CEILING)
        return top + PANEL_H * (1 - math.log10(inside / FLOOR) / math.log10(CEILING / FLOOR))

    value, low, high = weight
    parts = [
        f'<rect x="{left}" y="{down(high):.1f}" width="{PANEL_W}" height="{down(low) - down(high):.1f}" fill="#eee"/>',
        f'<path d="M{left} {down(value):.1f}h{PANEL_W}" stroke="#999" stroke-dasharray="4 3"/>',
        f'<rect x="{left}" y="{top}" width="{PANEL_W}" height="{PANEL_H}" fill="none" stroke="#444"/>',
        label(left, top - 8, title, size=13),
    ]
    for power in range(-5, 2):
        parts.append(label(left - 6, down(10.0**power) + 4, f"{10.0**power:g}", anchor="end"))
    for batch in (1, 4, 16, 64, 256):
        parts.append(label(across(batch), top + PANEL_H + 16, str(batch), anchor="middle"))
    lines = defaultdict(list)
    for ratio in sorted(those, key=lambda ratio: ratio.batch):
        if ratio.value > FLOOR:
            lines[ratio.context].append(ratio)
    for context, line in lines.items():
        paint = colour[context]
        points = " ".join(f"{across(ratio.batch):.1f},{down(ratio.value):.1f}" for ratio in line)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{paint}" stroke-width="1.5"/>')
        for ratio in line:
            x = across(ratio.batch)
            parts.append(f'<path d="M{x:.1f} {down(ratio.low):.1f}V{down(ratio.high):.1f}" stroke="{paint}"/>')
            parts.append(f'<circle cx="{x:.1f}" cy="{down(ratio.value):.1f}" r="3" fill="{paint}"/>')
    return parts, len(those) - sum(map(len, lines.values()))


def label(x, y, text, size=12, anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{escape(text)}</text>'


# ---------------------------------------------------------------- commands

TABLE = Path(__file__).resolve().parent.parent.parent / "config" / "factors"


def out_file(folder, name, stand_in):
    """Where a file goes. What a stand-in gave carries its name, and never goes where the table lives."""
    if stand_in and folder.resolve().is_relative_to(TABLE):
        raise SystemExit(f"measure: {folder} is for measured energy; a toy or a stand-in for the meter has no place there")
    return folder / (f"stand-in-{name}" if stand_in else name)


def report(folder, rows, answer):
    """Writes the ratios, their ranges and the figure beside the points."""
    stand_in = any(row.stand_in != "no" for row in rows)
    found = ratios(rows, answer)
    if not found:
        print("measure: not enough points for a ratio yet")
        return
    write_rows(out_file(folder, "ratios.csv", stand_in), found)
    write_rows(out_file(folder, "ranges.csv", stand_in), ranges(found))
    row = next(row for row in rows if row.per_token is not None)
    what = "TIME, NOT ENERGY" if row.unit == "s" else "Energy"
    caption = [
        f"{what} of an input and a cached token beside an output token" + (" - STAND-IN, NO MEASUREMENT" if stand_in else ""),
        f"{row.device}, meter {row.meter}, {row.started_utc[:10]}, torch {row.torch}, {row.weights} weights, no serving engine",
    ]
    out_file(folder, "ratios.svg", stand_in).write_text(draw(found, caption), encoding="utf-8")
    for line in ranges(found):
        if line.by == "all":
            print(f"{line.quantity:24} {line.median:.4g} (median of {line.ratios}), {line.least:.4g} to {line.most:.4g}{'  STAND-IN' if stand_in else ''}")


def resumed(path, shared):
    """The rows of a run that was cut off. One under other conditions is refused: its points and the ones to come would make ratios of two things."""
    if not path.exists():
        return []
    rows = read_rows(path)
    for name, now in shared.items():
        other = next((then for row in rows if (then := getattr(row, name)) != now), None)
        if other is not None:
            raise SystemExit(f"measure: {path} has {name} {other}, and this run would have {now}: resume as it began, or give another --out")
    return rows


def same_depth(rows, name, facts):
    """Refuses a model that has lost other layers than in the rows that are there: its ratios would be of two models."""
    for row in rows:
        if row.model == name and row.layers != facts["layers"]:
            raise SystemExit(f"measure: {name} was measured with {row.layers} layers, and now {facts['layers']} fit: give another --out, or free the memory")


def run(arguments):
    """Measures model after model; the table is written anew after each point, so that a run can be cut off and resumed."""
    ends = time.monotonic() + arguments.budget
    grid, shapes = (TINY, TINY_SHAPES) if arguments.tiny else (Grid(), SHAPES)
    changed = {name: getattr(arguments, name) for name in ("seconds", "repetitions") if getattr(arguments, name)}
    grid = dataclasses.replace(grid, **changed)
    bench = Bench(arguments.tiny, arguments.seed)
    meter = find_meter(bench.uuid(), arguments.tiny)
    # A toy's energy is no one's, whatever meters it.
    stand_in = "toy model" if arguments.tiny else "no"
    if meter.stand_in:
        stand_in = f"toy model, {meter.name}"
    path = out_file(arguments.out, "points.csv", stand_in != "no")
    shared = {**bench.versions(), **meter.device(), "unit": meter.unit, "meter": meter.name, "stand_in": stand_in, "seed": arguments.seed}
    rows = resumed(path, shared) if arguments.resume else []
    done = {(row.model, row.mode, row.batch, row.cached, row.new) for row in rows}

    def keep(row):
        rows.append(row)
        write_rows(path, rows)

    for name in arguments.models or shapes:
        left = [point for point in grid.points() if (name, point.mode, point.batch, point.cached, point.new) not in done]
        if not left:
            continue
        bench.drop()
        empty = watch_idle(meter, grid.idle_s)
        keep(Row(f"{name}, not built", "idle", mean_w=significant(empty), started_utc=now_utc(), **shared))
        facts = bench.build(shapes[name])
        same_depth(rows, name, facts)
        idle = significant(watch_idle(meter, grid.idle_s))
        base = Row(name, "idle", mean_w=idle, idle_w=idle, started_utc=now_utc(), **shared, **facts)
        keep(base)
        print(f"{name}: {facts['layers']} of {facts['layers_published']} layers, {facts['parameters_b']} B parameters, idle {idle} W, {meter.name}", flush=True)
        for point in left:
            if time.monotonic() > ends:
                print("measure: the time is up; --resume goes on from here")
                return rows
            work = None
            try:
                work = bench.work(point)
                row = measured_row(dataclasses.replace(base, mean_w=None), point, work, meter, grid)
            except NoRoom:
                row = dataclasses.replace(base, mean_w=None, status="no room", **described(point))
            del work
            keep(row)
            value = row.status if row.per_token is None else f"{row.per_token:.5g} {row.unit}/token ({row.per_token_low:.5g} to {row.per_token_high:.5g})"
            print(f"  {point.mode:8} batch {point.batch:3} cached {point.cached:6} new {point.new:6}  {value}", flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(prog="measure.py", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run", help="measure, then report")
    running.add_argument("--tiny", action="store_true", help="toy models and short windows, on any machine; nothing that counts")
    running.add_argument("--models", nargs="+", metavar="NAME", help=f"of {', '.join(SHAPES)} (default: all)")
    running.add_argument("--out", type=Path, default=Path("target/measure/out"), help="folder for the table (default: %(default)s)")
    running.add_argument("--resume", action="store_true", help="keep the points that the folder has")
    running.add_argument("--seed", type=int, default=1, help="of weights, tokens and cache (default: %(default)s)")
    running.add_argument("--seconds", type=float, help=f"of a repetition (default: {Grid.seconds})")
    running.add_argument("--repetitions", type=int, help=f"of a point (default: {Grid.repetitions})")
    running.add_argument("--budget", type=float, default=math.inf, metavar="SECONDS", help="begin no point after this")
    reporting = commands.add_parser("report", help="ratios, ranges and figure of a folder's points.csv; needs no torch")
    reporting.add_argument("out", type=Path)
    for command in (running, reporting):
        command.add_argument("--answer", type=int, default=300, help="output tokens that a context is held for (default: %(default)s)")
    comparing = commands.add_parser("compare", help="two runs against their spreads; needs no torch")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--tolerance", type=float, default=0.05, help="how far apart the spreads may be, as a share (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        sys.exit(execute(arguments, parser))
    except (OSError, Unusable) as error:
        print(f"measure: {error}", file=sys.stderr)
        sys.exit(2)


def execute(arguments, parser):
    """Runs the command that was named; its exit code."""
    if arguments.command == "run":
        known = TINY_SHAPES if arguments.tiny else SHAPES
        if unknown := set(arguments.models or ()) - set(known):
            parser.error(f"no shape is named {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        report(arguments.out, run(arguments), arguments.answer)
    elif arguments.command == "report":
        found = [name for name in ("points.csv", "stand-in-points.csv") if (arguments.out / name).exists()]
        if not found:
            parser.error(f"{arguments.out} has no points.csv")
        report(arguments.out, read_rows(arguments.out / found[0]), arguments.answer)
    else:
        return told(read_rows(arguments.before), read_rows(arguments.after), arguments.tolerance)
    return 0


def told(before, after, tolerance):
    """Prints how a second run compares with a first; 0 where every point is in both and agrees, otherwise 1."""
    pairs = compare(before, after, tolerance)
    single = [("FIRST ", row) for row in alone(before, after)] + [("SECOND", row) for row in alone(after, before)]

    def point(row):
        return f"{row.model}, {row.layers} layers, {row.mode} batch {row.batch} cached {row.cached} new {row.new}"

    for one, two, within in pairs:
        print(f"{'agree      ' if within else 'DIFFER     '} {two.per_token / one.per_token - 1:+7.1%}  {point(one)}")
    for where, row in single:
        print(f"{where} ALONE          {point(row)}")
    agree = sum(within for _, _, within in pairs)
    print(
        f"{agree} agree: their spreads, from the least to the most of the repetitions, overlap or are at most {tolerance:.0%} apart; "
        f"{len(pairs) - agree} differ; {len(single)} have a value in one of the two alone"
    )
    return 0 if pairs and agree == len(pairs) and not single else 1


if __name__ == "__main__":
    main()
