"""Announced prices take effect when the month begins, and the provider's log tells it (spec invoices, step 1)."""

from __future__ import annotations

from decimal import Decimal

from tests.scene import Scene, bill
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import django, logging, marketplace

APRIL = "2025-04-01T00:00:00+00:00"


def _bill(scene: Scene) -> Outcome:
    with scene.site() as site:
        return bill(site, APRIL)


def _price(scene: Scene, price: str, future_price: str | None, *, with_component: bool = True) -> int:
    """A price of a new plan; returns it."""
    offering = scene.offering(scene.customer("Provider"), "Cloud")
    plan = scene.plan(offering, "Small", archived=True)
    component = scene.component(offering, name="Cores", measured_unit="core") if with_component else None
    return scene.price(plan, component, price, 3, future_price=future_price)


def _of(scene: Scene, price: int) -> Decimal:
    return scene.one(marketplace.plancomponent, id=price).price


def test_an_announced_price_takes_effect_and_stays_announced(scene: Scene) -> None:
    price = _price(scene, "10", "12.5")
    assert _bill(scene).figures["prices switched"] == 1
    switched = scene.one(marketplace.plancomponent, id=price)
    assert (switched.price, switched.future_price) == (Decimal("12.5"), Decimal("12.5"))


def test_a_price_of_nothing_can_be_announced_too(scene: Scene) -> None:
    price = _price(scene, "10", "0")
    _bill(scene)
    assert _of(scene, price) == 0
    assert scene.one(logging.event).context["new_value"] == "0.0000000000"


def test_without_another_price_announced_nothing_happens(scene: Scene) -> None:
    prices = [_price(scene, "10", None), _price(scene, "10", "10.0")]
    _bill(scene)
    assert [_of(scene, price) for price in prices] == [10, 10]
    assert scene.rows(logging.event) == []


def test_the_event_tells_old_and_new_price_in_the_logs_of_offering_and_provider(scene: Scene) -> None:
    _price(scene, "10", "12.5")
    _bill(scene)
    event = scene.one(logging.event)
    assert event.message == "Current price of component cpu in plan Small has been updated."
    told = {"old_value": "10.0000000000", "new_value": "12.5000000000", "plan_component_amount": "3"}
    assert told.items() <= event.context.items()
    kinds = {row.model: row.id for row in scene.rows(django.content_type)}
    offering = scene.one(marketplace.offering)
    feeds = {(row.content_type_id, row.object_id) for row in scene.rows(logging.feed)}
    assert feeds == {(kinds["offering"], offering.id), (kinds["customer"], offering.customer_id)}


def test_a_price_without_a_component_is_switched_and_told_nowhere(scene: Scene) -> None:
    price = _price(scene, "10", "12", with_component=False)
    _bill(scene)
    assert _of(scene, price) == 12
    assert scene.rows(logging.event) == []
