"""What is kept of a run, and what is said of it."""
import json

# Kinds of violations (checker.py, streams.py) by the promise they break.
PROMISES = {
    "every client was sent what committed, once, in order, as it was": (
        "message lost", "message twice", "message out of order",
        "message of a rolled-back transaction",
        "message that is not in the table", "payload differs from the row's",
        "tag differs from the row's", "message outside of a subscription",
        "message without a position", "subscribed without a position",
        "position goes back"),
    "every hole was announced, and none without need": (
        "hole announced without need", "recovered from what never was",
        "subscribed does not say recovered", "recovered, and nobody asked",
        "position that is not in the table",
        "reset outside of a subscription"),
    "what was acknowledged is there, what was rolled back is not": (
        "rolled back, and in the table", "acknowledged, and not in the table",
        "half of a transaction in the table", "row that nobody sent",
        "row differs from what was sent",
        "row twice or out of the publisher's order"),
    "seq is dense in every group": (
        "hole in the table", "group_seq and message differ"),
    "everybody got to the end": ("behind at the end",),
    "nothing died but what was killed": ("something died or failed",),
    "every kind of fault happened": ("fault that never happened",),
}


def sentences(options, findings):
    """(kept, sentence) for each promise."""
    known = {kind for kinds in PROMISES.values() for kind in kinds}
    unknown = set(findings.kinds) - known
    if unknown:
        raise KeyError(f"no promise names {unknown}")
    for sentence, kinds in PROMISES.items():
        broken = sum(findings.kinds[kind] for kind in kinds)
        suffix = f": {broken} violations" if broken else ""
        yield not broken, f"{sentence} (seed {options.seed}){suffix}"


def write(run, folder):
    """report.json and report.txt; the latter is printed, too."""
    options, findings, faults = run.options, run.findings, run.faults
    counts = findings.counts
    report = {
        "seed": options.seed, "seconds": options.seconds,
        "doorbell": options.doorbell, "publishers": options.publishers,
        "groups": options.groups, "clients": options.clients,
        "listeners": options.listeners,
        "faults": dict(faults.counts), "not possible": dict(faults.skipped),
        "not run": run.not_run, "counts": dict(sorted(counts.items())),
        "violations": dict(findings.kinds), "total": findings.total,
    }
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")

    def listed(counter):
        return ", ".join(f"{what} {n}" for what, n in sorted(
            counter.items())) or "none"

    connections = counts["connections v1"] + counts["connections raw"]
    lines = [
        f"seed {options.seed}, {options.seconds:g} s, doorbell "
        f"{options.doorbell}: {options.publishers} publishers, "
        f"{options.groups} groups, {options.clients} clients, "
        f"{options.listeners} listeners",
        f"{counts['transactions acknowledged']} transactions acknowledged, "
        f"{counts['transactions unknown']} unknown; messages: "
        f"{counts['messages committed']} committed, "
        f"{counts['messages rolled back']} rolled back, "
        f"{counts['messages unknown']} unknown; {counts['rows']} rows",
        f"{counts['deliveries']} deliveries on {connections} connections "
        f"({counts['connections raw']} raw)",
        f"resumed: {counts['resumed, recovered true']} recovered, "
        f"{counts['resumed, recovered false']} not; raw "
        f"{counts['raw with since']}; {counts['resets']} resets",
        "ended: " + listed({key[5:]: n for key, n in counts.items()
                            if key.startswith("ends ")}),
        "errors: " + listed({key[7:]: n for key, n in counts.items()
                             if key.startswith("errors ")}),
        "faults: " + listed(faults.counts),
        "faults that were not possible then: " + listed(faults.skipped),
        *(f"not run: {line}" for line in run.not_run),
        f"violations: {findings.total}"
        + (f" ({listed(findings.kinds)})" if findings.total else ""),
    ]
    print("\n".join(lines), flush=True)
    for text in findings.texts[:40]:
        print(text)
    (folder / "report.txt").write_text("\n".join(
        [*lines, "", *faults.story, "", *findings.texts]) + "\n")
