"""The lines of the accounting report, in the three formats that accounting programs take (spec invoices)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal
from functools import cached_property
from typing import Any

from waldur_dagster.invoices.money import CENT, price_of
from waldur_dagster.platform.month import Month

FIRST_NUMBER = 100000


def invoice_number(invoice_id: int) -> int:
    """The number that customers see."""
    return FIRST_NUMBER + invoice_id


@dataclass(frozen=True)
class Line:
    """One item of an invoice with all that the formats print of it. ``row`` is a row of accounting_report's query."""

    row: Any
    month: Month
    options: Mapping[str, Any]
    payment_interval: int

    @property
    def number(self) -> int:
        return invoice_number(self.row.invoice_id)

    @property
    def due_date(self) -> date | None:
        day: date | None = self.row.invoice_date
        return day + timedelta(days=self.payment_interval) if day else None

    @cached_property
    def price(self) -> Decimal:
        return price_of(self.row.unit_price, self.row.quantity)

    @property
    def tax(self) -> Decimal:
        return self.price * self.row.tax_percent / 100

    @property
    def project(self) -> str:
        return self.row.project_name or self.row.current_project_name or "N/A"

    @property
    def article_name(self) -> str:
        """The item's name; with the plan's, where the offering leaves a choice of plans."""
        if self.row.plans == 1 or self.row.plan_name is None:
            return str(self.row.name)
        return f"{self.row.name} / {self.row.plan_name}"

    def written(self, bound: str) -> str:
        """The item's start or end as the site writes dates in this report."""
        style = self.options["SERIALIZER_EXTRA_KWARGS"][bound]["format"]
        moment = self.row.start if bound == "start" else self.row.end
        return moment.astimezone(self.month.zone).strftime(style) if moment else ""


def default_line(line: Line) -> dict[str, Any]:
    row = line.row
    return {
        "customer_uuid": row.customer_uuid.hex,
        "customer_name": row.customer_name,
        "project_uuid": row.project_uuid,
        "project_name": row.project_name,
        "invoice_uuid": row.invoice_uuid.hex,
        "invoice_number": line.number,
        "invoice_year": row.year,
        "invoice_month": row.month,
        "invoice_date": row.invoice_date or "",
        "due_date": line.due_date or "",
        "invoice_price": _even(row.invoice_price),
        "invoice_tax": _even(row.invoice_price * row.tax_percent / 100),
        "invoice_total": _even(row.invoice_price + row.invoice_price * row.tax_percent / 100),
        "name": row.name,
        "article_code": row.article_code,
        "price": _even(line.price),
        "tax": _even(line.tax),
        "total": _even(line.price + line.tax),
        "unit_price": _even(row.unit_price),
        "unit": row.unit,
        "start": line.written("start"),
        "end": line.written("end"),
    }


def saf_line(line: Line) -> dict[str, Any]:
    row, month = line.row, line.month
    return {
        "DOKNR": line.number,
        "KUUPAEV": _day(month.last),
        "VORMKUUP": _day(row.invoice_date),
        "MAKSEAEG": _day(line.due_date),
        "YKSUS": row.agreement_number,
        "PARTNER": row.sponsor_number or row.agreement_number,
        "ARTIKKEL": row.article_code,
        "KOGUS": int(row.quantity),
        "SUMMA": line.price,
        "RMAKSUSUM": line.tax.quantize(CENT, ROUND_HALF_UP),
        "RMAKSULIPP": line.options["SAF_PARAMS"]["RMAKSULIPP"],
        "ARTPROJEKT": line.options["SAF_PARAMS"]["ARTPROJEKT"],
        "ARTNIMI": line.article_name,
        "VALI": f"Record no {line.number}" + (f". {row.contact_details}" if row.contact_details else ""),
        "U_KONEDEARV": "",
        "U_GRUPPITUNNUS": line.project,
        "H_PERIOOD": f"{_day(month.first)}-{_day(month.last)}",
    }


def sap_line(line: Line) -> dict[str, Any]:
    row, parameters = line.row, line.options["SAP_PARAMS"]
    code = row.article_code
    return {
        "registrikood": row.registration_code,
        "country": row.country,
        "doc_type": "ZETA",
        "purch_no_c": row.agreement_number,
        "bill_date": _day(line.month.last),
        "material": code.partition("_")[0],
        "req_qty": row.quantity.quantize(CENT, ROUND_UP),
        "sales_unit": _code_part(code, 2, "sales unit"),
        "cond_value": f"{row.unit_price:.4f}".replace(".", ","),
        "sales_org": parameters["ORG_CODE"],
        "sales_off": "",
        "eeluks": parameters["EELUKS"],
        "fund": parameters["FUND"],
        "funka": parameters["FUNKA"],
        "makset": parameters["MAKSET"],
        "maksjareg": row.sponsor_number or "",
        "tekst_1": f"Record no {line.number}. Periood: {row.month}/{row.year}",
        "projektielement": "",
        "ressurss_kulukont": _code_part(code, 1, "kulukont"),
        "tekst_2": _sap_text(line),
        "maarang": "",
        "km_kood": parameters["KM_KOOD"],
        "kuluuksus": parameters["KULUUKSUS"],
        "saaja_info": row.contact_details,
        "divisjon": "",
        "toetus": "",
        "partii": "",
        "ladu": "",
        "grupitunnus": line.project,
    }


def _sap_text(line: Line) -> str:
    component = line.row.offering_component_name
    if line.row.plans != 1:
        return line.article_name
    if component is None:
        return str(line.row.name)
    return f"{line.row.resource_name} ({line.row.offering_name}) / {component}"


def _code_part(code: str, position: int, what: str) -> str:
    parts = code.split("_")
    if len(parts) > position:
        return parts[position]
    return f"Article code is in unexpected format. Cannot extract {what}! {code}"


def _even(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_EVEN)


def _day(day: date | None) -> str:
    return day.strftime("%d.%m.%Y") if day else ""


@dataclass(frozen=True)
class Format:
    """A format of the report: what a line is, and whether lines are sorted by project and name."""

    line: Callable[[Line], dict[str, Any]]
    columns: tuple[str, ...]
    by_project: bool


DEFAULT = Format(
    default_line,
    (
        *("customer_uuid", "customer_name", "project_uuid", "project_name", "invoice_uuid", "invoice_number"),
        *("invoice_year", "invoice_month", "invoice_date", "due_date", "invoice_price", "invoice_tax", "invoice_total"),
        *("name", "article_code", "price", "tax", "total", "unit_price", "unit", "start", "end"),
    ),
    by_project=False,
)
SAF = Format(
    saf_line,
    (
        *("DOKNR", "KUUPAEV", "VORMKUUP", "MAKSEAEG", "YKSUS", "PARTNER", "ARTIKKEL", "KOGUS", "SUMMA", "RMAKSUSUM"),
        *("RMAKSULIPP", "ARTPROJEKT", "ARTNIMI", "VALI", "U_KONEDEARV", "U_GRUPPITUNNUS", "H_PERIOOD"),
    ),
    by_project=True,
)
SAP = Format(
    sap_line,
    (
        *("registrikood", "country", "doc_type", "purch_no_c", "bill_date", "material", "req_qty", "sales_unit"),
        *("cond_value", "sales_org", "sales_off", "eeluks", "fund", "funka", "makset", "maksjareg", "tekst_1"),
        *("projektielement", "ressurss_kulukont", "tekst_2", "maarang", "km_kood", "kuluuksus", "saaja_info"),
        *("divisjon", "toetus", "partii", "ladu", "grupitunnus"),
    ),
    by_project=True,
)


def format_of(options: Mapping[str, Any]) -> Format:
    """The format that INVOICE_REPORTING asks for; SAF goes before SAP."""
    if options["USE_SAF"]:
        return SAF
    return SAP if options["USE_SAP"] else DEFAULT
