"""Try another way from an earlier place: a fork copies nothing and proves where it is from."""

from ledger import Ledger, NewEvent


def said(text: str) -> NewEvent:
    return NewEvent({"role": "user", "content": text}, "message.appended")


with Ledger.open("memory:") as ledger:
    ledger.append("original", [said("Plan a trip to Rome."), said("By train."), said("In May.")])

    # Everything up to "By train." belongs to both; from there on each goes its own way.
    ledger.fork("original", 2, "by-plane-instead")
    ledger.append("by-plane-instead", said("No, by plane."))

    own = ledger.read("by-plane-instead")
    print([event.type for event in own])

    line = ledger.read("by-plane-instead", lineage=True)
    story = [event.data.get("content", f"({event.type})") for event in line]
    print(story)
    assert story == ["Plan a trip to Rome.", "By train.", "(session.forked)", "No, by plane."]

    # The fork's hash chain starts from the parent's event, so verification covers the seam.
    assert ledger.verify().ok
