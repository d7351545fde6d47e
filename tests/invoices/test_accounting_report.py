"""The report of last month's invoices for accounting, in its three formats (spec invoices, report mail)."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.scene import Scene, bill
from waldur_dagster.invoices import accounting_report
from waldur_dagster.outbox import Attachment
from waldur_dagster.outbox.tables import message
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import invoices

APRIL = "2025-04-01T00:00:00+00:00"
MARCH_START, MARCH_END = datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 3, 31, 23, 59, tzinfo=UTC)


def _report(scene: Scene, *, core: dict | None = None, **options: Any) -> list[dict[str, str]]:
    """The lines of the report that billing April mails."""
    waldur = {"WALDUR_INVOICES": {"INVOICE_REPORTING": {"ENABLE": True} | options}, "WALDUR_CORE": core or {}}
    with scene.site(waldur=waldur) as site:
        bill(site, APRIL)
    return list(csv.DictReader(io.StringIO(_text(scene)), delimiter=";"))


def _text(scene: Scene) -> str:
    (attachment,) = scene.one(message).payload["attachments"]
    return Attachment.model_validate(attachment).text


def _march(scene: Scene, name: str = "Org", state: str = "created", **customer: Any) -> int:
    """An invoice of March of a new customer."""
    made = scene.customer(name, agreement_number=12, registration_code="R1", country="EE", **customer)
    facts = {"invoice_date": date(2025, 4, 1), "tax_percent": 20}
    return scene.invoice(made, 2025, 3, state, **facts)


def _machine(scene: Scene, invoice: int, *, plans: int = 1, **values: Any) -> int:
    """An item of a resource whose offering has so many plans."""
    customer = scene.one(invoices.invoice, id=invoice).customer_id
    offering = scene.offering(customer, "Cloud")
    for number in range(plans):
        scene.plan(offering, f"Plan {number}")
    resource = scene.resource(scene.project(customer, "Lab"), offering, None, "vm")
    details = {"plan_name": "Small", "offering_component_name": "CPU"}
    facts: dict[str, Any] = {
        "name": "Machine",
        "details": details,
        "project_name": "Lab",
        "start": MARCH_START,
        "end": MARCH_END,
    }
    facts |= {"price": "1.5", "quantity": 3} | values
    return scene.item(invoice, resource_id=resource, **facts)


# Which items are in it


def test_every_state_is_reported_and_archived_customers_are_not(scene: Scene) -> None:
    for state in ("created", "paid", "canceled"):
        scene.item(_march(scene, state, state), 1)
    scene.item(_march(scene, "archived", archived=True), 1)
    assert [line["customer_name"] for line in _report(scene)] == ["created", "paid", "canceled"]


def test_items_that_cost_nothing_are_left_out_and_refunds_are_not(scene: Scene) -> None:
    march = _march(scene)
    for name, price in (("free", 0), ("refund", -3), ("paid", 4)):
        scene.item(march, price, name=name)
    assert [(line["name"], line["total"]) for line in _report(scene)] == [
        ("refund", "-3.60"),
        ("paid", "4.80"),
    ]


def test_only_last_months_invoices_are_reported(scene: Scene) -> None:
    march = _march(scene)
    customer = scene.one(invoices.invoice).customer_id
    for month in (2, 4):
        scene.item(scene.invoice(customer, 2025, month), 1)
    scene.item(march, 1)
    assert [line["invoice_month"] for line in _report(scene)] == ["3"]


def test_customers_whose_accounting_had_not_begun_are_left_out_where_the_site_asks_for_it(scene: Scene) -> None:
    for name, day in (("old", 31), ("new", 1)):
        started = datetime(2025, 3 if day == 31 else 4, day, 12, tzinfo=UTC)
        scene.item(_march(scene, name, accounting_start_date=started), 1)
    lines = _report(scene, core={"ENABLE_ACCOUNTING_START_DATE": True})
    assert [line["customer_name"] for line in lines] == ["old"]


def test_a_month_without_invoices_is_reported_by_its_header(scene: Scene) -> None:
    assert _report(scene) == []
    assert _text(scene).startswith("customer_uuid;customer_name;") and _text(scene).endswith("end\r\n")


# The mail


def test_the_mail_names_the_month_before_the_one_that_is_billed(scene: Scene) -> None:
    _report(scene, EMAIL="books@x.org")
    mail = scene.one(message).payload
    assert (mail["to"], mail["subject"]) == (["books@x.org"], "Waldur accounting report for 3/2025")
    assert mail["attachments"][0]["filename"] == "3M032025Waldur.txt"


def test_the_report_of_january_is_that_of_december(scene: Scene) -> None:
    with scene.site(waldur={"WALDUR_INVOICES.INVOICE_REPORTING.ENABLE": True}) as site:
        bill(site, "2025-01-01T00:00:00+00:00")
    assert scene.one(message).payload["attachments"][0]["filename"] == "3M122024Waldur.txt"


def test_a_report_that_mail_servers_may_refuse_is_a_warning(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounting_report, "COMMON_LIMIT", 2**10)
    for number in range(20):
        scene.item(_march(scene, f"Org {number}"), 1)
    waldur = {"WALDUR_INVOICES.INVOICE_REPORTING.ENABLE": True}
    with scene.site(waldur=waldur) as site:
        done: Outcome = bill(site, APRIL)
    (warning,) = done.warnings
    assert warning.item == "accounting report 2025-03"
    assert len(scene.rows(message)) == 1


# The formats


def test_the_default_format_rounds_to_the_even_cent_and_prices_as_the_invoice_does(scene: Scene) -> None:
    march = _march(scene)
    _machine(scene, march, price="0.125", quantity=1, article_code="A1", unit="month")
    _machine(scene, march, price="0.02", quantity=1)
    line, _ = _report(scene)
    assert (line["unit_price"], line["price"], line["tax"], line["total"]) == ("0.12", "0.13", "0.03", "0.16")
    assert (line["invoice_price"], line["invoice_tax"], line["invoice_total"]) == ("0.15", "0.03", "0.18")
    assert (line["invoice_number"], line["invoice_date"], line["due_date"]) == (
        str(100000 + march),
        "2025-04-01",
        "2025-05-01",
    )
    assert (line["start"], line["end"], line["unit"]) == ("01.03.2025", "31.03.2025", "month")


def test_times_are_shown_in_the_sites_zone(scene: Scene) -> None:
    _machine(scene, _march(scene), end=MARCH_END)
    waldur = {"WALDUR_INVOICES.INVOICE_REPORTING.ENABLE": True}
    with scene.site(waldur=waldur, time_zone="Europe/Tallinn") as site:
        bill(site, APRIL)
    assert _text(scene).strip().endswith(";01.03.2025;01.04.2025")


def test_saf_counts_whole_units_and_rounds_tax_half_up(scene: Scene) -> None:
    march = _march(scene, contact_details="Call us")
    _machine(scene, march, price="0.125", quantity="2.9", plans=2)
    (line,) = _report(scene, USE_SAF=True, SAF_PARAMS={"RMAKSULIPP": "22%", "ARTPROJEKT": "P"})
    assert (line["KOGUS"], line["SUMMA"], line["RMAKSUSUM"]) == ("2", "0.37", "0.07")
    assert (line["KUUPAEV"], line["VORMKUUP"], line["MAKSEAEG"]) == ("31.03.2025", "01.04.2025", "01.05.2025")
    assert (line["YKSUS"], line["PARTNER"], line["RMAKSULIPP"]) == ("12", "12", "22%")
    assert line["VALI"] == f"Record no {100000 + march}. Call us"
    assert (line["ARTNIMI"], line["H_PERIOOD"]) == ("Machine / Small", "01.03.2025-31.03.2025")


def test_saf_names_the_plan_only_where_there_is_a_choice(scene: Scene) -> None:
    _machine(scene, _march(scene))
    (line,) = _report(scene, USE_SAF=True)
    assert line["ARTNIMI"] == "Machine"


def test_saf_pays_by_the_sponsor_and_goes_before_sap(scene: Scene) -> None:
    _machine(scene, _march(scene, sponsor_number=77))
    (line,) = _report(scene, USE_SAF=True, USE_SAP=True)
    assert (line["YKSUS"], line["PARTNER"]) == ("12", "77")


def test_saf_sorts_by_project_and_name_and_knows_items_without_a_project(scene: Scene) -> None:
    march = _march(scene)
    scene.item(march, 1, name="B", project_name="Lab")
    scene.item(march, 1, name="A", project_name="Lab")
    scene.item(march, 1, name="C", project_name="")
    lines = _report(scene, USE_SAF=True)
    assert [(line["U_GRUPPITUNNUS"], line["ARTNIMI"]) for line in lines] == [("N/A", "C"), ("Lab", "A"), ("Lab", "B")]


def test_sap_takes_the_article_code_apart_and_writes_a_decimal_comma(scene: Scene) -> None:
    _machine(scene, _march(scene), article_code="MAT_KULU_TK", quantity="2.001", price="1.23456")
    (line,) = _report(scene, USE_SAP=True)
    assert (line["material"], line["ressurss_kulukont"], line["sales_unit"]) == ("MAT", "KULU", "TK")
    assert (line["req_qty"], line["cond_value"]) == ("2.01", "1,2346")
    assert line["tekst_2"] == "vm (Cloud) / CPU"
    assert (line["registrikood"], line["country"], line["doc_type"]) == ("R1", "EE", "ZETA")


def test_sap_says_in_the_line_that_an_article_code_has_no_parts(scene: Scene) -> None:
    _machine(scene, _march(scene), article_code="MAT")
    (line,) = _report(scene, USE_SAP=True)
    assert line["material"] == "MAT"
    assert line["sales_unit"] == "Article code is in unexpected format. Cannot extract sales unit! MAT"
    assert line["ressurss_kulukont"] == "Article code is in unexpected format. Cannot extract kulukont! MAT"


def test_the_delimiter_is_the_sites_and_texts_that_hold_it_are_quoted(scene: Scene) -> None:
    scene.item(_march(scene, "Org, Ltd"), 1)
    waldur = {"WALDUR_INVOICES": {"INVOICE_REPORTING": {"ENABLE": True, "CSV_PARAMS": {"delimiter": ","}}}}
    with scene.site(waldur=waldur) as site:
        bill(site, APRIL)
    (line,) = csv.DictReader(io.StringIO(_text(scene)))
    assert line["customer_name"] == "Org, Ltd"
