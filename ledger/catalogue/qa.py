"""Facts about questions and answers, and what people thought of them."""

from pydantic import Field

from .base import Fact, Id, Json, JsonObject, Part, Score


class GraphElementIds(Part):
    """The graph elements an answer drew on."""

    node_ids: list[str] = Field(default_factory=list)
    edge_ids: list[str] = Field(default_factory=list)


class QARecorded(Fact, type="qa.recorded", version=1):
    """A question was answered. `context` null and "" differ."""

    qa_id: Id
    question: str
    answer: str
    context: str | None = None
    user_id: Id | None = None
    feedback_text: str | None = None
    feedback_score: Score | None = None
    used_graph_element_ids: GraphElementIds | None = None
    used_session_context_ids: list[str] | None = None
    memify_metadata: dict[str, bool] | None = None


class QAAmended(Fact, type="qa.amended", version=1):
    """An entry was changed. Absent keeps a field, null clears it, except question and answer.

    `memify_metadata` is merged flag by flag; a null flag is removed, null as a whole removes all.
    """

    qa_id: Id
    question: str = ""
    answer: str = ""
    context: str | None = None
    feedback_text: str | None = None
    feedback_score: Score | None = None
    used_graph_element_ids: GraphElementIds | None = None
    used_session_context_ids: list[str] | None = None
    memify_metadata: dict[str, bool | None] | None = None


class QADeleted(Fact, type="qa.deleted", version=1):
    """An entry was taken out of the session."""

    qa_id: Id
    reason: str | None = None


class FeedbackGiven(Fact, type="feedback.given", version=1):
    """Somebody judged the answer `qa_id` or a run; without either, the envelope's run is meant.

    Only what is set is changed: a text alone keeps an earlier score. `reward` is free in sign and
    size. Answers that are merely mentioned stand in `referenced_qa_ids` and are not judged.
    """

    qa_id: Id | None = None
    run_id: Id | None = None
    feedback_id: Id | None = None
    score: Score | None = None
    reward: float | None = None
    text: str | None = None
    raw_text: str | None = None
    rating: Json = None
    referenced_qa_ids: list[Id] = Field(default_factory=list)
    referenced_qa_rating: Json = None
    influencing_context_ids: list[str] = Field(default_factory=list)
    candidate_updates: list[JsonObject] = Field(default_factory=list)
    source: Id | None = None


class FeedbackCleared(Fact, type="feedback.cleared", version=1):
    """Score, text and reward were taken back, of the same target as `feedback.given` names."""

    qa_id: Id | None = None
    run_id: Id | None = None
