"""What keeps a resource from being terminated: the answers 400 to 409 of Waldur's own API (spec marketplace 0.7)."""

from __future__ import annotations

from collections.abc import Collection

from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.marketplace.termination_facts import Backend, Candidate
from waldur_dagster.platform import plugin_resources

LONGEST_SCRIPT = 2**20  # bytes
# Runtime states in which OpenStack lets a volume go.
DELETABLE_VOLUMES = frozenset({"available", "error", "error_restoring", "error_extending", ""})


def refusal(candidate: Candidate, script_languages: Collection[str]) -> str | None:
    """Why the resource cannot be terminated now; None when nothing is against it. Who acts is not looked at."""
    offering = candidate.offering
    if candidate.state not in (ResourceState.OK, ResourceState.ERRED):
        return f"is {ResourceState(candidate.state).shown}; only OK and Erred resources can be terminated"
    if candidate.blocked:
        return "belongs to an organization that is blocked"
    if candidate.archived:
        return "belongs to an organization that is archived"
    if offering.shared and not candidate.in_organization_groups:
        return "is of an offering for organization groups that its organization is not in"
    foreign = offering.provider != candidate.customer_id and candidate.offering_project_id != candidate.project_id
    if not offering.shared and foreign:
        return "is of another organization's offering that is not shared"
    if candidate.pending_provider:
        return "has an order that waits for the provider's approval"
    if candidate.pending_start:
        return "has an order that waits for its start date"
    if offering.type == "Marketplace.Script":
        return _script_refusal(candidate, script_languages)
    return _backend_refusal(candidate.backend) if candidate.backend else None


def _script_refusal(candidate: Candidate, languages: Collection[str]) -> str | None:
    script, language = candidate.script.get("terminate"), candidate.script.get("language")
    if not script:
        return "is of an offering without a script for termination (secret_options.terminate)"
    if language not in languages:
        return "is of an offering whose scripts are in no known language (secret_options.language)"
    if len(str(script).encode()) > LONGEST_SCRIPT:
        return "is of an offering whose script for termination is longer than 1 MiB"
    return None


def _backend_refusal(backend: Backend) -> str | None:
    if backend.state not in (plugin_resources.OK, plugin_resources.ERRED):
        return f"is at its back end {plugin_resources.STATE_NAMES.get(backend.state, backend.state)}, not OK or Erred"
    settled = backend.state == plugin_resources.OK
    if backend.type == "OpenStack.Instance" and settled and backend.runtime_state != "SHUTOFF":
        return f"is an instance that is {backend.runtime_state or 'in an unknown state'}; it has to be shut off first"
    if backend.type == "OpenStack.Volume" and settled and backend.runtime_state not in DELETABLE_VOLUMES:
        return f"is a volume that is {backend.runtime_state}"
    if backend.has_backups:
        return "has backups, which have to go first"
    if backend.has_snapshots:
        return "has snapshots, which have to go first"
    return None
