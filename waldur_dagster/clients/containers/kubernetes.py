"""Scripts as jobs of a Kubernetes cluster, through the cluster's official client library (spec marketplace 0.9)."""

from __future__ import annotations

import secrets
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from waldur_dagster.clients.containers.engine import (
    Engine,
    EngineFailed,
    EngineUnreachable,
    Limits,
    Script,
    ScriptFailed,
    as_text,
)
from waldur_dagster.clients.containers.settings import NAME, ScriptSettings

TIMEOUT = 20  # seconds for one answer of the cluster
RETRIES = urllib3.Retry(3, backoff_factor=0.2)
# How much longer than a job may take the cluster has for saying that it took too long.
GRACE = 60  # seconds
# Why a pod waits that will never begin.
HOPELESS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError"}
)


class KubernetesEngine(Engine):
    """The cluster that K8S_CONFIG_PATH leads to. A script is a config map and a job, named after ORDER_UUID."""

    def __init__(self, settings: ScriptSettings, limits: Limits):
        super().__init__(limits)
        self._time: int = settings.K8S_JOB_TIMEOUT
        self._here: dict[str, Any] = {"namespace": settings.K8S_NAMESPACE, "_request_timeout": TIMEOUT}
        # An offering may give all its scripts one ORDER_UUID, so their names are free one after the other.
        self._names: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._begun: set[str] = set()
        path = settings.K8S_CONFIG_PATH
        try:
            self._client = config.new_client_from_config(path, persist_config=False)
        except (ConfigException, OSError) as error:
            raise EngineFailed(f"{NAME}.K8S_CONFIG_PATH {path}: {error}") from None
        except Exception as error:  # whatever reads YAML or runs a plugin; its words may quote a token
            raise EngineFailed(f"{NAME}.K8S_CONFIG_PATH {path} cannot be read: {type(error).__name__}") from None
        self._client.configuration.retries = RETRIES
        self._core, self._batch = client.CoreV1Api(self._client), client.BatchV1Api(self._client)
        with self._failures():
            client.VersionApi(self._client).get_code(_request_timeout=TIMEOUT)

    def run(self, script: Script) -> str:
        environment = {"ORDER_UUID": f"{script.key}-{secrets.token_hex(4)}"} | dict(script.environment)
        script, key = replace(script, environment=environment), environment["ORDER_UUID"]
        with self._names[key], self._failures(), self._job(script, key) as job:
            succeeded = self._patience.until(lambda: self._ended(job), self._time + GRACE)
            output = as_text(self._output(job), self._limits.output)
            if succeeded:
                return output
            if not output and job not in self._begun:
                raise EngineFailed(f"the Kubernetes cluster did not start the script's pod within {self._time} seconds")
            raise ScriptFailed(output or f"the script had not ended after {self._time} seconds")

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """What the cluster says without its bodies, which may quote a job with all its environment."""
        host = self._client.configuration.host
        try:
            yield
        except ApiException as error:
            raise EngineFailed(f"the Kubernetes cluster at {host} answered {error.status} {error.reason}") from None
        except urllib3.exceptions.MaxRetryError as error:
            reason = type(error.reason or error).__name__
            raise EngineUnreachable(f"the Kubernetes cluster at {host} does not answer: {reason}") from None
        except urllib3.exceptions.HTTPError as error:
            raise EngineFailed(f"the Kubernetes cluster at {host}: {type(error).__name__}") from None
        except ValueError as error:  # the library checks answers
            raise EngineFailed(f"the Kubernetes cluster at {host} answers strangely: {type(error).__name__}") from None

    @contextmanager
    def _job(self, script: Script, key: str) -> Iterator[str]:
        """The name of a job that has begun; job and config map go with the block, whatever happens in it."""
        script_map, job = f"script-{key}", f"job-{key}"
        self._core.create_namespaced_config_map(body=_config_map(script_map, script.source), **self._here)
        try:
            self._batch.create_namespaced_job(body=self._manifest(job, script_map, script, key), **self._here)
            try:
                yield job
            finally:
                with suppress(ApiException, urllib3.exceptions.HTTPError):
                    self._batch.delete_namespaced_job(name=job, propagation_policy="Background", **self._here)
        finally:
            with suppress(ApiException, urllib3.exceptions.HTTPError):
                self._core.delete_namespaced_config_map(name=script_map, **self._here)

    def _manifest(self, name: str, script_map: str, script: Script, key: str) -> client.V1Job:
        volume = f"volume-{key}"
        bounds = {"cpu": f"{self._limits.cpus:g}", "memory": f"{self._limits.memory}Mi"}
        container = client.V1Container(
            name="runner",
            image=script.image,
            command=[script.command, "script"],
            working_dir="/work",
            env=[client.V1EnvVar(name=name, value=value) for name, value in script.environment.items()],
            volume_mounts=[client.V1VolumeMount(name=volume, mount_path="/work/script", sub_path="script")],
            resources=client.V1ResourceRequirements(limits=bounds),
        )
        source = client.V1ConfigMapVolumeSource(name=script_map, default_mode=0o444)
        pod = client.V1PodSpec(
            restart_policy="Never", containers=[container], volumes=[client.V1Volume(name=volume, config_map=source)]
        )
        template = client.V1PodTemplateSpec(
            metadata=client.V1ObjectMeta(labels={"app": "waldur-marketplace-script-job"}), spec=pod
        )
        spec = client.V1JobSpec(template=template, backoff_limit=0, active_deadline_seconds=self._time)
        return client.V1Job(api_version="batch/v1", kind="Job", metadata=client.V1ObjectMeta(name=name), spec=spec)

    def _ended(self, job: str) -> bool | None:
        """Whether a job has succeeded; None while it runs. Raises EngineFailed when it can never begin."""
        status = self._batch.read_namespaced_job_status(name=job, **self._here).status or client.V1JobStatus()
        if status.succeeded:
            return True
        if status.failed or any(condition.type == "Failed" for condition in status.conditions or ()):
            return False
        for pod in self._pods(job):
            if pod.status and pod.status.phase not in (None, "Pending"):
                self._begun.add(job)
            for container in (pod.status and pod.status.container_statuses) or ():
                waiting = container.state and container.state.waiting
                if waiting and waiting.reason in HOPELESS:
                    raise EngineFailed(f"the script's container cannot begin: {waiting.reason} {container.image}")
        return None

    def _pods(self, job: str) -> list[client.V1Pod]:
        return self._core.list_namespaced_pod(label_selector=f"job-name={job}", **self._here).items

    def _output(self, job: str) -> bytes:
        """The log of the job's pod; empty when the cluster has removed it, as it does when the time is up."""
        names = [pod.metadata.name for pod in self._pods(job) if pod.metadata and pod.metadata.name]
        if not names:
            return b""
        answer: Any = self._core.read_namespaced_pod_log(
            name=names[0],
            limit_bytes=self._limits.output + 1,
            _preload_content=False,  # the library would not tell bytes from text
            **self._here,
        )
        return bytes(answer.data)


def _config_map(name: str, source: str) -> client.V1ConfigMap:
    return client.V1ConfigMap(
        api_version="v1", kind="ConfigMap", metadata=client.V1ObjectMeta(name=name), data={"script": source}
    )
