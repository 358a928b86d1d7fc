"""The arithmetic of measure.py, held to hand calculations and published figures. Needs no torch and no GPU, and knows nothing of the models' code.

python3 check.py
"""

import contextlib
import csv
import dataclasses
import io
import sys
import tempfile
import types
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import measure
from measure import Grid, Interval, Point, Ratio, Row, Sample

SVG = "{http://www.w3.org/2000/svg}"
# Windows of the made-up meter: its clock is made up, too, so they cost nothing.
QUICK = Grid(warm_s=1, seconds=2, repetitions=3, chunk_s=0.25)


class MadeUpMeter:
    """A card whose joules are known: it draws `watts`, and its counter moves every `tick` seconds of its own clock alone."""

    name, unit, stand_in = "made up", "J", False

    def __init__(self, tick=0.1, reads=1.0):
        self.now, self.joules, self.watts, self.tick, self.reads = 0.0, 0.0, 60.0, tick, reads
        self.shown, self.next_tick = 0.0, tick

    def clock(self):
        return self.now

    def advance(self, seconds):
        while self.now + seconds >= self.next_tick:
            part = self.next_tick - self.now
            self.joules += self.watts * part
            self.now, seconds = self.next_tick, seconds - part
            self.shown, self.next_tick = self.joules, self.next_tick + self.tick
        self.joules += self.watts * seconds
        self.now += seconds

    def sample(self):
        return Sample(self.now, self.shown, self.watts * self.reads)

    def state(self):
        return {"temperature_c": 40 + int(self.now), "sm_mhz": 1980, "memory_mhz": 2619, "slowed_by": ["power cap"] if self.watts > 450 else []}


class MadeUpWork:
    """A step of known length and power; it counts how long the device had nothing to do between two launches."""

    POLL_S, kernel, eager_because = 0.005, "made up", ""

    def __init__(self, meter, step_s, watts):
        self.meter, self.step_s, self.busy_until, self.idle_s = meter, step_s, None, 0.0
        meter.watts = watts

    def launch(self, steps):
        now = self.meter.now
        if self.busy_until is not None and now > self.busy_until:
            self.idle_s += now - self.busy_until
        self.busy_until = max(now, self.busy_until or 0.0) + steps * self.step_s
        return self.busy_until

    def wait(self, done, look):
        look()
        while self.meter.now < done:
            # As with a real one, the end is seen at the next look.
            self.meter.advance(self.POLL_S)
            look()


# Mode, batch, cached, new, seconds of a step, watts; see `Known` for the joules that follow.
KNOWN = [
    (Point("prefill", 1, 0, 256), 0.064, 500),
    (Point("prefill", 1, 0, 1024), 0.2, 512),
    (Point("cached", 1, 768, 256), 0.0832, 500),
    (Point("decode", 1, 127, 1), 0.01, 290),
    (Point("decode", 1, 255, 1), 0.01, 300),
    (Point("decode", 64, 255, 1), 0.016, 400),
    (Point("decode", 64, 1023, 1), 0.02, 400),
]


def known_rows(**meter):
    rows = []
    for point, step_s, watts in KNOWN:
        card = MadeUpMeter(**meter)
        rows.append(measure.measured_row(Row("known", "idle", layers=2), point, MadeUpWork(card, step_s, watts), card, QUICK))
    return rows


class Known(unittest.TestCase):
    """A meter with known joules gives known joules per token, and known ratios."""

    def test_joules_per_token_are_power_times_time_over_tokens(self):
        expected = [32 / 256, 102.4 / 1024, 41.6 / 256, 2.9, 3.0, 6.4 / 64, 8.0 / 64]
        for row, joules in zip(known_rows(), expected, strict=True):
            self.assertAlmostEqual(row.per_token / joules, 1, delta=0.005, msg=str(row.key))

    def test_ratios_are_those_of_the_joules(self):
        expected = {
            ("input/output", 1, 256, None): 0.125 / 3,
            ("input/output", 64, 256, None): 0.125 / 0.1,
            ("input/output", 64, 1024, None): 0.1 / 0.125,
            # 41.6 J behind 768 cached tokens, 32 J alone.
            ("cache_read/output", 64, 1024, 0.75): 9.6 / 768 / 0.125,
            ("cache_read/input", None, 1024, 0.75): 9.6 / 768 / 0.1,
            # 0.1 J more an output token for 128 tokens more, and 300 of those.
            ("held/output", 1, 256, None): 0.1 / 128 * 300 / 3,
            # 0.025 J more an output token for 768 tokens more, and 300 of those.
            ("held/output", 64, 1024, None): 0.025 / 768 * 300 / 0.125,
            ("cache_read+held/output", 64, 1024, 0.75): (9.6 / 768 + 0.025 / 768 * 300) / 0.125,
        }
        found = {(one.quantity, one.batch, one.context, one.cached_share): one.value for one in measure.ratios(known_rows(), 300)}
        self.assertEqual(found.keys(), expected.keys())
        for key, value in expected.items():
            self.assertAlmostEqual(found[key] / value, 1, delta=0.02, msg=str(key))

    def test_the_integrated_power_checks_the_counter(self):
        for row in known_rows(reads=0.9):
            self.assertAlmostEqual(row.power_over_counter, 0.9, delta=0.005)

    def test_conditions_are_written_as_found_under_load(self):
        row = known_rows()[0]
        self.assertEqual((row.sm_mhz_low, row.sm_mhz_high, row.memory_mhz, row.slowed_by), (1980, 1980, 2619, "power cap"))
        self.assertEqual((row.repetitions, row.context, row.cuda_graph), (3, 256, "yes"))
        self.assertLess(row.temperature_c_low, row.temperature_c_high)
        self.assertEqual(known_rows()[3].slowed_by, "")

    def test_the_device_never_waits_for_a_look_at_the_meter(self):
        meter = MadeUpMeter()
        work = MadeUpWork(meter, 0.01, 300)
        measure.observe(work, meter, 2, 25)
        self.assertEqual(work.idle_s, 0)

    def test_a_window_has_at_least_a_step_however_long_that_takes(self):
        meter = MadeUpMeter()
        window = measure.observe(MadeUpWork(meter, 7.0, 600), meter, 2, 1)
        self.assertAlmostEqual(window.step, 4200, delta=1)

    def test_a_meter_that_does_not_move_is_no_measurement(self):
        meter = MadeUpMeter(tick=1e9)
        with self.assertRaisesRegex(SystemExit, "did not move within 2 s"):
            measure.measure(MadeUpWork(meter, 0.01, 300), meter, QUICK)

    def test_the_spread_is_that_of_the_repetitions(self):
        windows = [measure.Window(0.5, 4, watts, None, []) for watts in (110.0, 100.0, 130.0)]
        with mock.patch.object(measure, "measure", return_value=windows):
            row = measure.measured_row(Row("known", "idle"), Point("decode", 5, 9, 1), MadeUpWork(MadeUpMeter(), 1, 1), MadeUpMeter(), QUICK)
        self.assertEqual((row.per_token_low, row.per_token, row.per_token_high), (10, 11, 13))
        self.assertEqual((row.mean_w, row.step_s, row.steps, row.seconds), (110, 0.5, 12, 2))


class Energy(unittest.TestCase):
    """From samples to joules and watts."""

    def test_power_is_integrated_by_trapezoids(self):
        self.assertEqual(measure.integral([Sample(0, None, 100), Sample(2, None, 100)]), 200)
        # From 0 to 100 W: 25 J in the first second, 75 J in the second, however they are cut.
        self.assertEqual(measure.integral([Sample(0, None, 0), Sample(1, None, 50), Sample(1.5, None, 75), Sample(2, None, 100)]), 100)

    def test_readings_that_failed_are_bridged_and_one_alone_gives_nothing(self):
        self.assertEqual(measure.integral([Sample(0, 0, 10), Sample(1, 0, None), Sample(2, 0, 30)]), 40)
        self.assertIsNone(measure.integral([Sample(0, 0, 10), Sample(1, 0, None)]))

    def test_the_counter_counts_between_its_ticks(self):
        # 250 W, a tick every 0.4 s: 0.3 s before the first and 0.2 s after the last would make 195 W of it.
        shown = {0.0: 100, 0.2: 100, 0.3: 200, 0.5: 200, 0.7: 300, 1.1: 400, 1.3: 400}
        self.assertAlmostEqual(measure.mean_rate([Sample(at, joules, None) for at, joules in shown.items()]), 250)

    def test_without_enough_ticks_everything_counts(self):
        self.assertAlmostEqual(measure.mean_rate([Sample(0, 5, None), Sample(1, 5, None), Sample(4, 25, None)]), 5)

    def test_a_card_without_a_counter_has_its_power_readings(self):
        self.assertAlmostEqual(measure.mean_rate([Sample(1, None, 300), Sample(3, None, 500)]), 400)

    def test_the_stand_in_for_time_makes_seconds_of_joules(self):
        meter = measure.TimeMeter()
        samples = [meter.sample() for _ in range(3)]
        self.assertEqual(measure.mean_rate(samples), 1)
        self.assertEqual((meter.unit, meter.stand_in), ("s", True))

    def test_rapl_counts_on_when_it_wraps(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(measure.RaplMeter, "FOLDER", Path(folder)):
            (Path(folder) / "max_energy_range_uj").write_text("10000000\n")
            readings = []
            meter = None
            for microjoules in ("9000000", "9500000", "250000"):
                (Path(folder) / "energy_uj").write_text(microjoules)
                meter = meter or measure.RaplMeter()
                readings.append(meter.sample().counter)
        self.assertEqual(readings, [9, 9.5, 10.25])


class Nvml(unittest.TestCase):
    """The calls to NVML and their units, on a module that answers as NVML does."""

    def card(self, **answers):
        fake = types.ModuleType("pynvml")
        fake.NVMLError = type("NVMLError", (Exception,), {})
        fake.NVML_FI_DEV_POWER_INSTANT, fake.NVML_TEMPERATURE_GPU, fake.NVML_CLOCK_SM, fake.NVML_CLOCK_MEM = 186, 0, 1, 2

        def refuse(*_):
            raise fake.NVMLError

        instant = types.SimpleNamespace(nvmlReturn=0, value=types.SimpleNamespace(uiVal=412_500))
        told = {
            "nvmlInit": lambda: None,
            "nvmlDeviceGetHandleByUUID": lambda uuid: uuid,
            "nvmlDeviceGetTotalEnergyConsumption": lambda card: 7_654_321,
            "nvmlDeviceGetFieldValues": lambda card, fields: [instant] if fields == [186] else refuse(),
            "nvmlDeviceGetPowerUsage": lambda card: 399_000,
            "nvmlDeviceGetCurrentClocksEventReasons": lambda card: 0x4 | 0x20 | 0x1,
            "nvmlDeviceGetTemperature": lambda card, sensor: 61,
            "nvmlDeviceGetClockInfo": lambda card, clock: {1: 1755, 2: 2619}[clock],
            "nvmlDeviceGetEnforcedPowerLimit": lambda card: 700_000,
            "nvmlDeviceGetName": lambda card: "NVIDIA H100 80GB HBM3",
            "nvmlSystemGetDriverVersion": lambda: "580.1",
        }
        for name, answer in {**told, **answers}.items():
            setattr(fake, name, answer or refuse)
        with mock.patch.dict(sys.modules, {"pynvml": fake}):
            return measure.NvmlMeter("GPU-1")

    def test_millijoules_and_milliwatts_become_joules_and_watts(self):
        meter = self.card()
        sample = meter.sample()
        self.assertEqual((meter.name, sample.counter, sample.watts), ("NVML total energy", 7654.321, 412.5))
        self.assertEqual(meter.device(), {"device": "NVIDIA H100 80GB HBM3", "driver": "580.1", "power_limit_w": 700})

    def test_clocks_and_what_slows_them_have_names(self):
        self.assertEqual(self.card().state(), {"temperature_c": 61, "sm_mhz": 1755, "memory_mhz": 2619, "slowed_by": ["power cap", "thermal"]})

    def test_what_the_card_lacks_is_absent_and_said(self):
        meter = self.card(nvmlDeviceGetTotalEnergyConsumption=None, nvmlDeviceGetFieldValues=None, nvmlDeviceGetTemperature=None)
        sample = meter.sample()
        self.assertEqual((meter.name, sample.counter, sample.watts), ("NVML power, integrated", None, 399))
        self.assertIsNone(meter.state()["temperature_c"])

    def test_an_unknown_id_is_the_card_only_where_there_is_one(self):
        only = {"nvmlDeviceGetHandleByUUID": None, "nvmlDeviceGetHandleByIndex": lambda index: f"card {index}"}
        self.assertEqual(self.card(**only, nvmlDeviceGetCount=lambda: 1).card, "card 0")
        with self.assertRaisesRegex(Exception, ""):
            self.card(**only, nvmlDeviceGetCount=lambda: 2)

    def test_a_card_without_nvml_is_refused_but_for_a_toy_that_gets_the_clock(self):
        with mock.patch.dict(sys.modules, {"pynvml": None}):
            with self.assertRaisesRegex(SystemExit, "cannot be read through NVML .* install nvidia-ml-py"):
                measure.find_meter("GPU-1", False)
            self.assertEqual(measure.find_meter("GPU-1", True).name, "time only")


class Shapes(unittest.TestCase):
    """What is built, and what is measured on it."""

    def test_shapes_have_the_parameters_that_their_makers_publish(self):
        # Totals of the published weights, less the norms, which the estimate leaves out.
        published = {
            "llama-3.1-8b": 8_030_261_248 - (2 * 32 + 1) * 4096,
            "llama-3.1-70b": 70_553_706_496 - (2 * 80 + 1) * 8192,
            "qwen3-30b-a3b": 30_532_122_624 - (2 * 48 + 1) * 2048 - 48 * 2 * 128,
        }
        for name, total in published.items():
            layer, around = measure.weight_bytes(measure.SHAPES[name])
            self.assertEqual(layer * measure.SHAPES[name]["num_hidden_layers"] + around, 2 * total, name)

    def test_the_grid_spans_what_it_should(self):
        points = Grid().points()
        self.assertEqual(len(points), len(set(points)))
        reading = [point.context for point in points if point.mode == "prefill"]
        writing = [point for point in points if point.mode == "decode"]
        self.assertTrue({256, 32768} <= set(reading))
        self.assertEqual(({point.context for point in writing} & {256, 32768}, {point.batch for point in writing}), ({256, 32768}, {1, 4, 16, 64, 256}))
        shares = {round(point.cached / point.context, 2) for point in points if point.mode == "cached"}
        self.assertEqual(shares, {0.5, 0.75, 0.9, 0.95})

    def test_each_cached_point_has_its_rest_alone_and_its_whole_prompt_beside_it(self):
        for grid in (Grid(), measure.TINY):
            reading = {point.new for point in grid.points() if point.mode == "prefill"}
            for point in grid.points():
                if point.mode == "cached":
                    self.assertLessEqual({point.new, point.context}, reading)


class Ratios(unittest.TestCase):
    """Intervals, ratios and their ranges."""

    def test_intervals_take_the_ends_that_are_furthest_apart(self):
        one, two = Interval(10, 9, 12), Interval(4, 2, 5)
        self.assertEqual(one - two, Interval(6, 4, 10))
        self.assertEqual(one + two, Interval(14, 11, 17))
        self.assertEqual(one * 2, Interval(20, 18, 24))
        self.assertEqual(one.over(two), Interval(2.5, 1.8, 6))
        self.assertEqual(Interval(-1, -4, 2).over(two), Interval(-0.25, -2, 1))

    def test_points_without_room_or_without_a_partner_give_no_ratio(self):
        rows = [row for row in known_rows() if row.mode != "prefill"]
        self.assertEqual({ratio.quantity for ratio in measure.ratios(rows, 300)}, {"held/output"})
        for row in rows:
            row.status = "no room"
        self.assertEqual(measure.ratios(rows, 300), [])

    def test_models_and_meters_are_not_mixed(self):
        reading, writing = known_rows()[0], known_rows()[4]
        for change in ({"model": "other"}, {"layers": 1}, {"unit": "s"}, {"stand_in": "toy model"}):
            self.assertEqual(measure.ratios([reading, dataclasses.replace(writing, **change)], 300), [])

    def test_ranges_are_over_everything_then_by_batch_and_by_context(self):
        values = ((1, 256, 0.1), (64, 256, 0.4), (64, 1024, 0.7), (1, 1024, 0.3))
        found = [Ratio("input/output", "m", batch, context, None, None, value, value - 0.05, value + 0.05, "J", "no") for batch, context, value in values]
        told = {(one.by, one.at): (one.ratios, one.least, one.median, one.most) for one in measure.ranges(found)}
        self.assertEqual(told["all", None], (4, 0.1, 0.35, 0.7))
        self.assertEqual((told["batch", 1], told["batch", 64]), ((2, 0.1, 0.2, 0.3), (2, 0.4, 0.55, 0.7)))
        self.assertEqual((told["context", 256], told["context", 1024]), ((2, 0.1, 0.25, 0.4), (2, 0.3, 0.5, 0.7)))
        everything = measure.ranges(found)[0]
        self.assertAlmostEqual(everything.low, 0.05)
        self.assertAlmostEqual(everything.high, 0.75)

    def test_a_second_run_is_held_to_the_spreads(self):
        first = Row("m", "decode", 1, 256, 255, 1, per_token=100.0, per_token_low=98.0, per_token_high=102.0, layers=2)
        near = dataclasses.replace(first, per_token=108.0, per_token_low=106.0, per_token_high=110.0)
        far = dataclasses.replace(first, per_token=80.0, per_token_low=79.0, per_token_high=81.0)
        other = dataclasses.replace(first, batch=4)
        self.assertEqual([within for _, _, within in measure.compare([first], [near, other], 0.05)], [True])
        self.assertEqual([within for _, _, within in measure.compare([first], [near], 0.01)], [False])
        self.assertEqual([within for _, _, within in measure.compare([first], [far], 0.05)], [False])
        with self.assertRaisesRegex(ValueError, "same kind of device"):
            measure.compare([first], [dataclasses.replace(near, device="another")], 0.05)

    def test_a_point_that_one_run_has_alone_is_told_and_is_no_agreement(self):
        first = Row("m", "decode", 1, 256, 255, 1, per_token=100.0, per_token_low=98.0, per_token_high=102.0, layers=2)
        more = dataclasses.replace(first, batch=4)
        no_room = dataclasses.replace(more, per_token=None, status="no room")
        self.assertEqual(self.told([first], [first]), (0, ["1 agree", "0 differ", "0 have a value in one of the two alone"]))
        for one, two in (([first, more], [first]), ([first], [first, more]), ([first, more], [first, no_room])):
            self.assertEqual(self.told(one, two), (1, ["1 agree", "0 differ", "1 have a value in one of the two alone"]))
        # Of nothing in common no agreement can be told.
        self.assertEqual(self.told([first], [more])[0], 1)

    def test_what_is_said_of_two_runs_is_so(self):
        first = Row("m", "decode", 1, 256, 255, 1, per_token=100.0, per_token_low=98.0, per_token_high=102.0, layers=2)
        # Medians 20 % apart, and ends that touch: the spreads overlap, which is all that is claimed.
        wide = dataclasses.replace(first, per_token=120.0, per_token_low=102.0, per_token_high=140.0)
        apart = dataclasses.replace(first, batch=4, per_token=120.0, per_token_low=118.0, per_token_high=122.0)
        self.assertEqual(self.told([first, dataclasses.replace(first, batch=4)], [wide, apart])[1][:2], ["1 agree", "1 differ"])
        self.assertIn("overlap or are at most 5% apart", self.said)

    def told(self, before, after):
        """The exit code of a comparison, and the counts of its last line."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = measure.told(before, after, 0.05)
        self.said = out.getvalue().splitlines()[-1]
        agree, differ, single = self.said.split("; ")
        return code, [agree.split(":")[0], differ, single]


class Files(unittest.TestCase):
    """What is written, and where it may stand."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_rows_read_back_as_they_were(self):
        rows = [*known_rows(), Row('a, "b"', "idle", mean_w=71.3, device="x\ny", power_limit_w=None, seed=3)]
        measure.write_rows(self.folder / "points.csv", rows)
        self.assertEqual(measure.read_rows(self.folder / "points.csv"), rows)
        found = measure.ratios(rows, 300)
        measure.write_rows(self.folder / "ratios.csv", found)
        self.assertEqual(measure.read_rows(self.folder / "ratios.csv", Ratio), found)

    def test_a_table_with_other_columns_is_refused(self):
        (self.folder / "points.csv").write_text("model,mode\nm,idle\n")
        with self.assertRaisesRegex(ValueError, "columns are not those"):
            measure.read_rows(self.folder / "points.csv")

    def test_a_table_that_is_broken_is_told_with_its_line(self):
        path = self.folder / "points.csv"
        measure.write_rows(path, [Row("m", "decode", 1)])
        good = path.read_bytes()
        cases = (
            (good.replace(b"m,decode,1,", b"m,decode,one,"), "line 2: batch is no number: 'one'"),
            (good.splitlines(keepends=True)[0] + b"m,decode\n", "line 2: the row ends before batch"),
            (good + b"x" + b"," * 60 + b"\n", "line 3: the row has more fields"),
            (b"\xff\xfe\x00", "is no CSV"),
        )
        for content, said in cases:
            path.write_bytes(content)
            with self.assertRaisesRegex(measure.Unusable, said):
                measure.read_rows(path)

    def test_files_that_cannot_be_compared_are_told_in_a_sentence(self):
        row = Row("m", "decode", 1, 256, 255, 1, per_token=1.0, per_token_low=1.0, per_token_high=1.0, layers=2, device="one card")
        measure.write_rows(self.folder / "first.csv", [row])
        measure.write_rows(self.folder / "other.csv", [dataclasses.replace(row, device="another")])
        (self.folder / "empty.csv").write_text("")
        for second, said in (("other.csv", "same kind of device"), ("missing.csv", "No such file"), ("empty.csv", "columns are not those")):
            err = io.StringIO()
            arguments = ["measure.py", "compare", str(self.folder / "first.csv"), str(self.folder / second)]
            with mock.patch.object(sys, "argv", arguments), contextlib.redirect_stderr(err), self.assertRaises(SystemExit) as ended:
                measure.main()
            self.assertEqual((ended.exception.code, len(err.getvalue().splitlines())), (2, 1))
            self.assertIn(said, err.getvalue())

    def test_a_run_is_resumed_under_its_own_conditions_alone(self):
        path = self.folder / "points.csv"
        shared = {"device": "one card", "seed": 1, "power_limit_w": 700.0, "unit": "J"}
        self.assertEqual(measure.resumed(path, shared), [])
        rows = [Row("m", "idle", layers=2, **shared)]
        measure.write_rows(path, rows)
        self.assertEqual(measure.resumed(path, shared), rows)
        for change in ({"device": "another"}, {"seed": 2}, {"power_limit_w": 350.0}, {"unit": "s"}):
            with self.assertRaisesRegex(SystemExit, f"has {next(iter(change))} .*resume as it began"):
                measure.resumed(path, {**shared, **change})
        measure.same_depth(rows, "m", {"layers": 2})
        measure.same_depth(rows, "other", {"layers": 1})
        with self.assertRaisesRegex(SystemExit, "with 2 layers, and now 1 fit"):
            measure.same_depth(rows, "m", {"layers": 1})

    def test_numbers_keep_six_digits(self):
        self.assertEqual([measure.significant(value) for value in (0.00012345678, 123456.78, None)], [0.000123457, 123457.0, None])

    def test_a_stand_in_has_its_own_name_and_no_place_in_the_table(self):
        self.assertEqual(measure.out_file(self.folder, "points.csv", True).name, "stand-in-points.csv")
        measured = measure.TABLE / "measured"
        self.assertEqual(measure.out_file(measured, "points.csv", False), measured / "points.csv")
        with self.assertRaisesRegex(SystemExit, "no place there"):
            measure.out_file(measured, "points.csv", True)

    def test_a_report_writes_ratios_ranges_and_figure(self):
        with mock.patch("builtins.print"):
            measure.report(self.folder, known_rows(), 300)
            measure.report(self.folder, [dataclasses.replace(row, unit="s", stand_in="toy model, time only") for row in known_rows()], 300)
        names = ["ranges.csv", "ratios.csv", "ratios.svg"]
        self.assertEqual(sorted(file.name for file in self.folder.iterdir()), [*names, *(f"stand-in-{name}" for name in names)])
        self.assertIn("TIME, NOT ENERGY", (self.folder / "stand-in-ratios.svg").read_text())
        self.assertNotIn("STAND-IN", (self.folder / "ratios.svg").read_text())
        with open(self.folder / "stand-in-ratios.csv", newline="") as file:
            self.assertEqual({line["stand_in"] for line in csv.DictReader(file)}, {"toy model, time only"})


class Figure(unittest.TestCase):
    """The SVG, read by a parser."""

    def ratio(self, quantity, batch, value, share=None):
        return Ratio(quantity, "a <b> & c", batch, 256, share, None, value, value / 2, value * 2, "J", "no")

    def test_it_is_well_formed_and_has_a_mark_for_each_value(self):
        found = [self.ratio("input/output", 1, 0.01), self.ratio("input/output", 256, 0.5), self.ratio("cache_read/output", 64, 0.02, 0.9)]
        root = xml.fromstring(measure.draw(found, ["One & <two>", "three"]))
        self.assertEqual(root.find(f"{SVG}title").text, "One & <two>")
        # One a value, one for the context in the legend.
        self.assertEqual(len(root.findall(f"{SVG}circle")), 3 + 1)
        texts = [text.text for text in root.findall(f"{SVG}text")]
        self.assertIn("a <b> & c: cache_read/output, 90% cached", texts)
        self.assertIn("context 256", texts)

    def test_values_stand_at_their_place_on_the_axes(self):
        root = xml.fromstring(measure.draw([self.ratio("input/output", 16, 0.01)], ["title", "sub"]))
        mark = next(circle for circle in root.findall(f"{SVG}circle") if circle.get("r") == "3")
        # 16 is in the middle of 1 to 256, and 0.01 in the middle of 1e-5 to 10.
        self.assertAlmostEqual(float(mark.get("cx")), measure.LEFT + measure.PANEL_W / 2, delta=0.1)
        self.assertAlmostEqual(float(mark.get("cy")), measure.TOP + measure.PANEL_H / 2, delta=0.1)

    def test_what_the_axis_cannot_show_is_counted(self):
        found = [self.ratio("cache_read/output", 1, -0.01, 0.9), self.ratio("cache_read/output", 4, 0.01, 0.9)]
        self.assertIn("1 values at or below 1e-05 are not drawn", measure.draw(found, ["title", "sub"]))

    def test_the_weights_behind_it_are_the_method_s(self):
        text = (measure.TABLE / "methods.yaml").read_text()
        for quantity, key in (("input/output", "input"), ("cache_read/output", "cache_read")):
            value, low, high = measure.WEIGHTS[quantity]
            self.assertRegex(text, rf"(?m)^\s+{key}: {{value: {value:.2f}, range: \[{low:g}, {high:.2f}\]}}", key)


if __name__ == "__main__":
    outcome = unittest.main(exit=False, verbosity=1).result
    failed = len(outcome.failures) + len(outcome.errors)
    print(f"{outcome.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
