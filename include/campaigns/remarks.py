"""What a definition may say but its author may not mean: remarks of ``bongsu lint``, which refuse nothing."""

from datetime import datetime

from include.campaigns.spec import CampaignSpec
from include.campaigns.times import USUAL_ZONE, aware
from include.campaigns.wording import LABEL
from include.errors import SpecProblem

MOBILE_PREFIX = "01"


def remarks(spec: CampaignSpec, now: datetime) -> list[SpecProblem]:
    """Everything to remark about ``spec`` at the moment ``now``."""
    found = []
    if spec.message.sender.startswith(MOBILE_PREFIX):
        problem, fix = "it is a mobile number", "Ask your carrier how many messages a day may go out from one."
        found.append(SpecProblem("message.sender", problem, fix))
    if spec.purpose == "advertising" and spec.message.subject and not spec.message.subject.startswith(LABEL):
        problem = f"an advertisement's subject does not start with {LABEL}"
        found.append(SpecProblem("message.subject", problem, "Ask your counsel whether it has to."))
    zone = spec.schedule.timezone or USUAL_ZONE
    for name, fix in {
        "at": "The schedule sends nothing; only a person who starts the campaign does.",
        "valid_until": "Nothing will be sent.",
    }.items():
        moment = aware(getattr(spec.schedule, name), zone)
        if moment is not None and moment < now:
            found.append(SpecProblem(f"schedule.{name}", "this moment is past", fix))
    return found
