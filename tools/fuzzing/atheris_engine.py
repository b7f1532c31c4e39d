"""The other engine: atheris (libFuzzer for Python) chooses the inputs, the laws are the same."""

import random
import sys
import tempfile
import tracemalloc
import warnings
from pathlib import Path

import atheris

from . import worker


def main(target, folder, inputs, settings):
    """Like ``worker.main``; libFuzzer ends the process."""
    corpus = Path(tempfile.mkdtemp(dir=folder))
    for number, data in enumerate(inputs):
        (corpus / str(number)).write_bytes(data)
    for module in target.watched:
        for name, value in list(vars(module).items()):
            if getattr(value, "__module__", None) == module.__name__ and hasattr(value, "__code__"):
                setattr(module, name, atheris.instrument_func(value))
    trial = worker.Worker(target, folder, worker.say)
    worker.limit_memory()
    warnings.simplefilter("error")
    tracemalloc.start()

    def change(data, most, seed):
        return target.change(random.Random(seed), data, random.Random(seed).choice(inputs))[:most]

    def attempt(data):
        trial.attempt(data)

    options = [f"-seed={settings['seed'] + 1}", f"-max_total_time={int(settings['seconds'])}"]
    options += ["-rss_limit_mb=4096", f"-timeout={worker.HANG_SECONDS}", "-max_len=65536"]
    options.append(f"-artifact_prefix={folder}/")
    if settings["executions"] < 1 << 62:
        options.append(f"-runs={settings['executions'] + len(inputs)}")
    atheris.Setup([sys.argv[0], *options, str(corpus)], attempt, custom_mutator=change)
    atheris.Fuzz()
