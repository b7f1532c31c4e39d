"""The table that run.py prints, and its footnotes."""

import textwrap

import peers

# The share of a core from which on what others take is told: less is the system's own upkeep.
DISTURBED = 0.1


def text(seconds):
    """A time in the unit that suits it, three digits."""
    if seconds is None:
        return "-"
    for unit, factor in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        value = seconds * factor
        if value >= 0.9995 or unit == "us":
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{digits}f} {unit}"
    raise AssertionError


def best_peer(systems):
    """The fastest of the others that minimises the same loss: (name, seconds), or None."""
    times = [
        (entry["median"], name)
        for name, entry in systems.items()
        if name != "bpcore" and entry["median"] and not entry["other_loss"]
    ]
    return min(times)[::-1] if times else None


def ratio(a, b):
    return f"{a / b:.2f}" if a and b else "-"


def share(part, whole):
    return f"{part / whole:.0%}" if part and whole else "-"


def cell(entry):
    if entry is None:
        return ""
    if entry["refused"]:
        return "refused"
    return text(entry["median"]) + ("*" if entry["other_loss"] else "")


def table(result):
    """Lines of the table: a row for each job, a column for each system that did one."""
    jobs = result["jobs"]
    names = [s for s in peers.SYSTEMS if any(s in job["systems"] for job in jobs.values())]
    others = [name for name in names if name != "bpcore"]
    labels = [LABELS.get(name, peers.SYSTEMS[name][2]) for name in others]
    rows = [["job", "bpcore", *labels, "best/bpcore", "dense limit", "least time", "share"]]
    for key, job in jobs.items():
        systems = job["systems"]
        ours = systems.get("bpcore", {}).get("median")
        best = best_peer(systems)
        rows.append(
            [
                key,
                cell(systems.get("bpcore")),
                *(cell(systems.get(name)) for name in others),
                ratio(best and best[1], ours),
                text(job["dense_limit"]),
                text(job["least"]),
                share(job["least"], ours),
            ]
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows]


LABELS = {"tutorial": "tutorial", "torch_by_hand": "by hand", "onnxruntime": "ONNX RT"}


def footnotes(result):
    settings, machine = result["settings"], result["machine"]
    yield (
        f"{machine['cpu']}, {settings['threads']} of {machine['cores']} cores, bpcore on "
        f"{settings['isa']}; medians of {settings['repeats']} interleaved samples."
    )
    for key, job in result["jobs"].items():
        yield f"{key}: {job['title']}, {job['dtype']}; {job['unit']}."
    for name, about in result["systems"].items():
        versions = ", ".join(f"{k} {v}" for k, v in about["versions"].items())
        yield f"{peers.SYSTEMS[name][2]} ({versions}): {about['note']}."
    for name, reason in result["missing"].items():
        yield f"{peers.SYSTEMS[name][2]} is left out: {reason}"
    for key, job in result["jobs"].items():
        yield from job_footnotes(key, job, settings["threads"])
    yield (
        "best/bpcore: time of the fastest peer with the same loss, over bpcore's. Dense limit: "
        "the operations of the dense products over the best rate of multiply-adds measured between "
        "the rounds; who leaves out products with zeros may pass it. Least time: the operations "
        "that are not by zero over the same rate, or the bytes of X over the rate at which memory "
        "is read, whichever takes longer; share: of bpcore's time."
    )
    peak = result["limits"]["float32"]
    if peak["all"]:
        yield (
            f"Peak in float32: {peak['one'] / 1e9:.0f} GFLOP/s on one thread, "
            f"{peak['all'] / 1e9:.0f} on {settings['threads']}. If the second is far below what "
            f"the cores should give, they were busy, and the dense limit is lower than it says."
        )
    if result["limits_missing"]:
        yield f"No limits: {result['limits_missing']}."
    yield from (f"Warning: {warning}" for warning in result["warnings"])


def job_footnotes(key, job, threads):
    for name, entry in job["systems"].items():
        label = peers.SYSTEMS[name][2]
        if entry["refused"]:
            yield f"{key}: {label} is refused, {entry['refused']}"
        if entry["other_loss"]:
            yield f"* {key}: {label} minimises another loss, {entry['other_loss']}."
    hindered = who(job, lambda entry: entry["foreign"] > DISTURBED)
    if hindered:
        yield (
            f"Warning, {key}: other programs took more than {DISTURBED:.0%} of a core while these "
            f"were timed: {hindered}. Who uses every core suffers most; measure again."
        )
    unsteady = who(job, varies)
    if unsteady:
        yield (
            f"Warning, {key}: the middle half of the samples spans more than a tenth of the median "
            f"of {unsteady}."
        )
    alone = who(job, lambda entry: entry["samples"] and entry["threads"] < threads)
    if alone:
        yield f"{key}: on one thread, where they are faster: {alone}."


def who(job, condition):
    """The systems of whose entries this is true."""
    systems = job["systems"].items()
    return ", ".join(peers.SYSTEMS[name][2] for name, entry in systems if condition(entry))


def varies(entry):
    """Whether the middle half of a system's samples spans more than a tenth of their median."""
    low, _, high = entry.get("quartiles", (0, 0, 0))
    return high - low > 0.1 * (entry["median"] or 1)


def show(result):
    print("\n".join(table(result)), end="\n\n")
    for note in footnotes(result):
        print(textwrap.fill(note, 100, subsequent_indent="    "))
