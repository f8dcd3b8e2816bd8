"""All seven state machines, each made with those it starts."""

from __future__ import annotations

from constructs import Construct

from solution.infrastructure.function_groups import Functions
from solution.infrastructure.inventory_job import InventoryJob
from solution.infrastructure.permissions import TracingPolicy
from solution.infrastructure.schedules import Schedules
from solution.infrastructure.settings import Parameters
from solution.infrastructure.storage import InventoryBucket, Tables
from solution.infrastructure.workflows.archives_status_cleanup import ArchivesStatusCleanup
from solution.infrastructure.workflows.cleanup import Cleanup
from solution.infrastructure.workflows.dashboard_update import DashboardUpdate
from solution.infrastructure.workflows.extend_download_window import ExtendDownloadWindow
from solution.infrastructure.workflows.initiate_retrieval import InitiateRetrieval
from solution.infrastructure.workflows.inventory_retrieval import InventoryRetrieval
from solution.infrastructure.workflows.machine import Machine, MachineDefaults
from solution.infrastructure.workflows.orchestrator import Orchestrator


class Workflows(Construct):
    """``orchestrator`` is what the runbooks start; ``all`` are all seven.

    ``unattended`` are those that rules start: nobody waits for them and would see them fail.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        parameters: Parameters,
        functions: Functions,
        job: InventoryJob,
        tables: Tables,
        inventory: InventoryBucket,
        schedules: Schedules,
    ) -> None:
        super().__init__(scope, construct_id)
        defaults = MachineDefaults(
            logging=parameters.step_function_logging,
            tracing=TracingPolicy(self, "Tracing", switch=parameters.step_function_tracing),
        )
        stop = ArchivesStatusCleanup(
            self,
            "ArchivesStatusCleanup",
            defaults=defaults,
            functions=functions.runs,
            inventory=inventory,
        ).machine
        get_inventory = InventoryRetrieval(
            self,
            "InventoryRetrieval",
            defaults=defaults,
            functions=functions.inventories,
            runs=functions.runs,
            job=job,
            tables=tables,
            inventory=inventory,
            parameters=parameters,
        ).machine
        initiate = InitiateRetrieval(
            self,
            "InitiateRetrieval",
            defaults=defaults,
            functions=functions.requests,
            tables=tables,
            inventory=inventory,
        ).machine
        extend, update = self.unattended = self._periodic(defaults, functions, tables, inventory)
        clean_up = Cleanup(
            self,
            "Cleanup",
            defaults=defaults,
            functions=functions.runs,
            ends=functions.ends,
            schedules=schedules,
            inventory=inventory,
            dashboard_update=update,
        ).machine
        self.orchestrator = Orchestrator(
            self,
            "Orchestrator",
            defaults=defaults,
            runs=functions.runs,
            retrieval=functions.retrieval,
            tables=tables,
            schedules=schedules,
            archives_status_cleanup=stop,
            inventory_retrieval=get_inventory,
            initiate_retrieval=initiate,
            extend_download_window=extend,
            dashboard_update=update,
            cleanup=clean_up,
        ).machine
        self.all = (self.orchestrator, stop, get_inventory, initiate, extend, update, clean_up)

    def _periodic(
        self, defaults: MachineDefaults, functions: Functions, tables: Tables, inventory: InventoryBucket
    ) -> tuple[Machine, Machine]:
        extend = ExtendDownloadWindow(
            self,
            "ExtendDownloadWindow",
            defaults=defaults,
            runs=functions.runs,
            requests=functions.requests,
            tables=tables,
            inventory=inventory,
        )
        update = DashboardUpdate(self, "DashboardUpdate", defaults=defaults, tables=tables)
        return extend.machine, update.machine
