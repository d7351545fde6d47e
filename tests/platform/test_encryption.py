"""Secrets that newer versions of Waldur keep encrypted."""

from __future__ import annotations

import base64
import hashlib
import json
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet
from sqlalchemy import text

from tests.scene import Scene
from waldur_dagster.database.constance import BadConstanceValue
from waldur_dagster.database.encryption import (
    OFFERING_SECRETS,
    SERVICE_OPTIONS,
    SERVICE_PASSWORD,
    SERVICE_TOKEN,
    NotOpened,
    is_token,
)
from waldur_dagster.deployment import ConfigurationError, parse_deployment
from waldur_dagster.schema import constance, structure
from waldur_dagster.settings import BadSetting
from waldur_dagster.site import Site

pytestmark = pytest.mark.generation("8")

NOW = datetime(2026, 3, 10, tzinfo=UTC)
SECRET_KEY = "what Django signs with"
SECRET = "geheim-5"


def derived(secret_key: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(secret_key.encode()).digest()).decode()


NEW, OLD, LOST = (derived(name) for name in ("new", "old", "lost"))


def token(plain: str = SECRET, key: str = NEW) -> str:
    return Fernet(key).encrypt(plain.encode()).decode()


@pytest.fixture
def site(scene: Scene) -> Iterator[Site]:
    """A site whose deployment has a new key, an old one, and SECRET_KEY."""
    with site_of(scene) as made:
        yield made


def site_of(scene: Scene, **document: Any) -> Site:
    keys = {"keys": [f"{NEW},{OLD}"], "secret_key": SECRET_KEY}
    return scene.site(**({"encryption": keys} | document))


def migrated(scene: Scene, app: str, name: str) -> None:
    with scene.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO django_migrations (app, name, applied) VALUES (:app, :name, now())"),
            {"app": app, "name": name},
        )


def keep(scene: Scene, key: str, value: Any, *, pickled: bool = False) -> None:
    """A setting in the table of newer versions, in constance's new form or its old one."""
    stored = json.dumps({"__type__": "default", "__value__": value})
    if pickled:
        stored = base64.b64encode(pickle.dumps(value)).decode()
    scene.add(constance.constance, key=key, value=stored)


@pytest.mark.parametrize("key", [NEW, OLD, derived(SECRET_KEY)])
def test_every_key_opens_and_clear_values_stay_as_they_are(site: Site, key: str) -> None:
    with site.work("entry", NOW) as work:
        assert work.secrets.opened(SERVICE_PASSWORD, token(key=key)) == SECRET
        assert work.secrets.opened(SERVICE_PASSWORD, "clear") == "clear"
        assert work.secrets.opened(SERVICE_PASSWORD, None) is None
        assert work.secrets.opened(SERVICE_PASSWORD, token("gAAAA looks closed", key)) == "gAAAA looks closed"


def test_only_secret_keys_of_objects_are_opened(site: Site) -> None:
    offering = {
        "token": token(),
        "old_password": token(key=OLD),
        "argocd_k8s_kubeconfig": token(),
        "api_url": "gAAAA.example.org",
        "environ": [{"name": "TOKEN", "value": "clear"}],
        "secret": "",
        "client_secret": 7,
    }
    plain = offering | dict.fromkeys(("token", "old_password", "argocd_k8s_kubeconfig"), SECRET)
    with site.work("entry", NOW) as work:
        assert work.secrets.opened(OFFERING_SECRETS, offering) == plain
        assert work.secrets.opened(OFFERING_SECRETS, None) == {}
        options = {"keycloak_password": token(), "argocd_k8s_kubeconfig": token(), "host": "h"}
        opened = work.secrets.opened(SERVICE_OPTIONS, json.dumps(options))
        assert opened == options | {"keycloak_password": SECRET}
        assert work.secrets.opened(SERVICE_OPTIONS, "") == {}
        with pytest.raises(ValueError, match=r"structure_servicesettings.options is no JSON$") as problem:
            work.secrets.opened(SERVICE_OPTIONS, f"password={SECRET}")
    assert SECRET not in str(problem.value)


@pytest.mark.parametrize(
    ("keys", "said"),
    [({}, "the deployment has no keys"), ({"keys": [LOST]}, "no key of [encryption] opens it")],
)
def test_what_no_key_opens_is_told_by_its_place_and_never_used(scene: Scene, keys: Any, said: str) -> None:
    stored = token()
    with (
        site_of(scene, encryption=keys) as site,
        site.work("entry", NOW) as work,
        pytest.raises(NotOpened) as problem,
    ):
        work.secrets.opened(OFFERING_SECRETS, {"token": stored})
    assert str(problem.value).startswith("marketplace_offering.secret_options, key token is encrypted")
    assert said in str(problem.value) and stored not in str(problem.value)


def test_a_site_that_does_not_encrypt_gets_clear_values(site: Site) -> None:
    with site.work("entry", NOW) as work:
        assert work.secrets.stored(SERVICE_TOKEN, SECRET) == SECRET
        assert work.secrets.stored(OFFERING_SECRETS, {"token": SECRET}) == {"token": SECRET}
        assert work.secrets.stored(SERVICE_OPTIONS, {"token": SECRET}) == json.dumps({"token": SECRET})


@pytest.mark.parametrize("told_by", ["migration", "values"])
def test_a_site_that_encrypts_gets_encrypted_values_by_the_first_key(scene: Scene, told_by: str) -> None:
    with site_of(scene) as site:
        if told_by == "migration":
            migrated(scene, "marketplace", "0265_encrypt_existing_secret_options")
            migrated(scene, "structure", "0080_encrypt_servicesettings_credentials")
            migrated(scene, "structure", "0081_encrypt_servicesettings_options")
        else:
            scene.offering(scene.customer(), secret_options={"token": token(key=OLD)})
            scene.add(structure.servicesettings, password=token(key=OLD), options=json.dumps({"token": token(key=OLD)}))
        with site.work("entry", NOW) as work:
            options = {"token": SECRET, "api_url": "https://x.org", "password": "", "secret": 7}
            stored = work.secrets.stored(OFFERING_SECRETS, options)
            assert Fernet(NEW).decrypt(stored["token"]).decode() == SECRET
            assert stored | {"token": SECRET} == options
            assert stored != work.secrets.stored(OFFERING_SECRETS, options)
            assert work.secrets.same(OFFERING_SECRETS, stored, options)
            assert not work.secrets.same(OFFERING_SECRETS, stored, options | {"token": "other"})
            assert is_token(work.secrets.stored(SERVICE_PASSWORD, "gAAAA looks closed"))
            assert is_token(json.loads(work.secrets.stored(SERVICE_OPTIONS, {"token": SECRET}))["token"])


def test_the_key_of_secret_key_encrypts_where_there_is_no_other(scene: Scene) -> None:
    with site_of(scene, encryption={"secret_key": SECRET_KEY}) as site, site.work("entry", NOW) as work:
        closed = work.secrets.keys.closed(SECRET, "somewhere")
    assert MultiFernet([Fernet(derived(SECRET_KEY))]).decrypt(closed).decode() == SECRET


def test_columns_that_no_key_opens_are_counted(site: Site, scene: Scene) -> None:
    scene.offering(scene.customer(), secret_options={"token": token(key=LOST), "api_url": "x"})
    scene.offering(scene.customer(), secret_options={"token": token()})
    scene.offering(scene.customer(), secret_options={"api_url": token(key=LOST)})
    for password in (token(key=LOST), token(), "clear", None):
        scene.add(structure.servicesettings, password=password, options="no JSON")
    scene.add(structure.servicesettings, password=token(key=LOST), options=json.dumps({"token": token(key=LOST)}))
    with site.work("entry", NOW) as work:
        assert work.secrets.locked() == [
            "marketplace_offering.secret_options (1 row)",
            "structure_servicesettings.password (2 rows)",
            "structure_servicesettings.options (1 row)",
        ]


@pytest.mark.parametrize("pickled", [False, True])
def test_settings_are_opened_in_both_forms_of_constance(site: Site, scene: Scene, pickled: bool) -> None:
    for key, value in (
        ("FREEIPA_ENABLED", True),
        ("FREEIPA_PASSWORD", token(key=OLD)),
        ("FREEIPA_BLACKLISTED_USERNAMES", ["root", "admin"]),
        ("NOTIFY_STAFF_ABOUT_APPROVALS", True),
        ("SITE_NAME", "gAAAA"),
    ):
        keep(scene, key, value, pickled=pickled)
    with site.work("entry", NOW) as work:
        freeipa = work.settings["WALDUR_FREEIPA"]
        assert (freeipa["ENABLED"], freeipa["PASSWORD"], freeipa["HOSTNAME"]) == (True, SECRET, "ipa.example.com")
        assert freeipa["BLACKLISTED_USERNAMES"] == ["root", "admin"]
        assert work.settings["WALDUR_MARKETPLACE.NOTIFY_STAFF_ABOUT_APPROVALS"] is True
        assert work.constance["SITE_NAME"] == "gAAAA"


def test_a_setting_that_cannot_be_opened_stops_only_those_who_want_it(scene: Scene) -> None:
    with site_of(scene, encryption={}) as site:
        keep(scene, "FREEIPA_PASSWORD", stored := token())
        keep(scene, "FREEIPA_ENABLED", True)
        with site.work("entry", NOW) as work:
            assert work.settings["WALDUR_FREEIPA.ENABLED"] is True
            for name in ("WALDUR_FREEIPA", "WALDUR_FREEIPA.PASSWORD"):
                with pytest.raises(BadSetting, match="The site's setting FREEIPA_PASSWORD is encrypted") as problem:
                    _ = work.settings[name]
                assert stored not in str(problem.value)
            assert work.constance.locked() == ["setting FREEIPA_PASSWORD"]


@pytest.mark.parametrize("encrypts", [False, True])
@pytest.mark.parametrize("pickled", [False, True])
def test_a_setting_is_written_back_as_the_site_keeps_it(scene: Scene, encrypts: bool, pickled: bool) -> None:
    with site_of(scene) as site:
        keep(scene, "SITE_NAME", "Site", pickled=pickled)
        if encrypts:
            migrated(scene, "core", "0053_encrypt_constance_secrets")
        with site.work("entry", NOW) as work:
            secret = work.constance.encoded("REMOTE_EDUTEAMS_REFRESH_TOKEN", SECRET)
            public = work.constance.encoded("SITE_NAME", "Site")
            assert (SECRET in (base64.b64decode(secret).decode("latin-1") if pickled else secret)) is not encrypts
        assert secret.startswith("{") is not pickled
        scene.add(constance.constance, key="FREEIPA_PASSWORD", value=secret)
        with site.work("entry", NOW) as work:
            assert work.settings["WALDUR_FREEIPA.PASSWORD"] == SECRET
        assert public in {row.value for row in scene.rows(constance.constance)}


@pytest.mark.parametrize("keys", [["short"], [NEW, "k" * 44 + "="], [f"{NEW},{NEW[:-4]}"]])
def test_what_is_no_key_is_refused_without_showing_it(keys: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"\[encryption.keys\] number \d is no key") as problem:
        parse_deployment({"database": {"url": "postgresql://x/y"}, "encryption": {"keys": keys}})
    assert not any(key in str(problem.value) for text in keys for key in text.split(","))


def test_nothing_shows_a_secret(scene: Scene) -> None:
    waldur = {"WALDUR_FREEIPA.PASSWORD": SECRET}
    document = {"encryption": {"keys": [NEW], "secret_key": SECRET_KEY}, "waldur": waldur}
    with site_of(scene, **document) as site, site.work("entry", NOW) as work:
        shown = [site.deployment, work.secrets, work.secrets.keys, work.constance, work.settings, work]
        for part in map(repr, shown):
            assert not any(secret in part for secret in (SECRET, NEW, SECRET_KEY))


def test_a_malformed_setting_says_so(site: Site, scene: Scene) -> None:
    scene.add(constance.constance, key="SITE_NAME", value="geheim")
    with site.work("entry", NOW) as work, pytest.raises(BadConstanceValue, match="SITE_NAME is malformed"):
        _ = work.constance["SITE_NAME"]
