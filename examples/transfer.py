"""Move a log to another backend or number of buckets, to the byte, and find a cut file out."""

from pathlib import Path
from tempfile import TemporaryDirectory

from ledger import InvalidImport, Ledger, NewEvent

folder = TemporaryDirectory()
exported = Path(folder.name, "export.jsonl")

with Ledger.open("memory:", buckets=8) as source:
    for number in range(20):
        source.append(f"session-{number % 3}", NewEvent({"number": number}, "step.done"))
    with exported.open("wb") as file:
        file.writelines(source.export_lines())

with Ledger.open(f"sqlite:///{folder.name}/copy.db") as copy:
    with exported.open("rb") as lines:
        report = copy.import_lines(lines)
    print("stored", report.stored)

    # Importing again adds nothing, and the copy's own export is the same file.
    with exported.open("rb") as lines:
        assert copy.import_lines(lines).stored == 0
    assert b"".join(copy.export_lines()) == exported.read_bytes()
    assert copy.verify().ok

with Ledger.open("memory:") as other:
    cut = exported.read_bytes().splitlines()[:10]
    try:
        other.import_lines(cut)
    except InvalidImport as error:
        print(f"refused at line {error.line}: {error.reason}")
    assert other.feed().events == []

folder.cleanup()
