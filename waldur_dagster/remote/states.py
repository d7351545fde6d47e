"""What remote Waldurs call states and types, in this site's codes (spec remote 1.1, 5 and 6).

The words are those of Waldur's API, which newer versions may add to: ``.get`` gives None for what nobody here knows.
"""

from waldur_dagster.marketplace.states import OfferingState, OrderState, OrderType, ResourceState

RESOURCE_STATES = {state.shown: state for state in ResourceState}
OFFERING_STATES = {state.name.capitalize(): state for state in OfferingState}
ORDER_STATES = {state.shown: state for state in OrderState}
ORDER_TYPES = {kind.shown: kind for kind in OrderType}
