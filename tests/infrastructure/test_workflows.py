"""State machines: definitions that Step Functions accepts, and roles that fit them exactly."""

from __future__ import annotations

import json
from typing import Any

import pytest

from solution.contract.object_keys import PARTITION_COLUMNS
from solution.infrastructure.sizing import ROWS_AT_ONCE
from tests.infrastructure.synthesised import Synthesised, every_state, scopes

MACHINES = (
    "OrchestratorStateMachine",
    "ArchivesStatusCleanupStateMachine",
    "InventoryRetrievalStateMachine",
    "InitiateRetrievalStateMachine",
    "ExtendDownloadWindowStateMachine",
    "CloudWatchDashboardUpdateStateMachine",
    "CleanupStateMachine",
)
STARTED = {
    "OrchestratorStateMachine": {
        "ArchivesStatusCleanupStateMachine",
        "InventoryRetrievalStateMachine",
        "InitiateRetrievalStateMachine",
        "CleanupStateMachine",
    },
    "CleanupStateMachine": {"CloudWatchDashboardUpdateStateMachine"},
}
LARGEST_DEFINITION = 1024 * 1024

each_machine = pytest.mark.parametrize("name", MACHINES)


def definition(solution: Synthesised, name: str) -> dict[str, Any]:
    return solution.definition(solution.machines()[name])


def states(solution: Synthesised, name: str) -> dict[str, dict[str, Any]]:
    return dict(every_state(definition(solution, name)))


def role(solution: Synthesised, name: str) -> str:
    return solution.role_of(solution.machines()[name], "RoleArn")


def arn(solution: Synthesised, name: str) -> str:
    return f"<{solution.machines()[name].logical_id}.Arn>"


def successors(state: dict[str, Any]) -> set[str]:
    found = {state[key] for key in ("Next", "Default") if key in state}
    found |= {choice["Next"] for choice in state.get("Choices", [])}
    return found | {handler["Next"] for handler in state.get("Catch", [])}


def test_the_seven_machines_are_there(solution: Synthesised) -> None:
    assert solution.machines().keys() == set(MACHINES)


@each_machine
def test_every_state_can_be_reached_and_every_way_leads_to_an_end(solution: Synthesised, name: str) -> None:
    whole = definition(solution, name)
    for start, group in scopes(whole["States"], whole["StartAt"]):
        reached, waiting = set(), {start}
        while waiting:
            current = waiting.pop()
            assert current in group, f"{current} is not a state beside {sorted(group)}"
            reached.add(current)
            waiting |= successors(group[current]) - reached
        assert reached == group.keys()
        for label, state in group.items():
            ends = state.get("End") is True or state["Type"] in ("Succeed", "Fail")
            assert ends != bool({"Next", "Choices"} & state.keys()), label


@each_machine
def test_state_names_are_unique_in_the_whole_machine(solution: Synthesised, name: str) -> None:
    names = [label for label, _ in every_state(definition(solution, name))]
    assert len(names) == len(set(names))
    assert max(map(len, names)) <= 80


@each_machine
def test_a_definition_is_within_the_limits_of_the_service(solution: Synthesised, name: str) -> None:
    assert len(json.dumps(definition(solution, name))) < LARGEST_DEFINITION
    assert "QueryLanguage" not in definition(solution, name)


@each_machine
def test_every_task_has_a_time_limit(solution: Synthesised, name: str) -> None:
    unlimited = [
        label
        for label, state in states(solution, name).items()
        if state["Type"] == "Task" and not (state.get("TimeoutSeconds") or state.get("TimeoutSecondsPath"))
    ]
    assert unlimited == []


@each_machine
def test_every_call_of_a_function_outlasts_it_and_is_tried_again(solution: Synthesised, name: str) -> None:
    limits = {f"<{f.logical_id}.Arn>": f.properties["Timeout"] for f in solution.functions().values()}
    for label, state in states(solution, name).items():
        if not state.get("Resource", "").endswith("lambda:invoke"):
            continue
        assert state["TimeoutSeconds"] > limits[state["Parameters"]["FunctionName"]], label
        if label == "SendAnonymizedStats":
            assert state["Retry"] == [], "statistics are sent once"
            assert state["TimeoutSeconds"] <= 60, "and not waited for"
            continue
        retried = {error for retrier in state["Retry"] for error in retrier["ErrorEquals"]}
        assert {"Lambda.TooManyRequestsException", "Lambda.ServiceException", "Throttled"} <= retried, label
        assert all(r["JitterStrategy"] == "FULL" and r["BackoffRate"] > 1 for r in state["Retry"]), label


@each_machine
def test_a_machine_may_call_exactly_the_functions_it_calls(solution: Synthesised, name: str) -> None:
    called = {
        state["Parameters"]["FunctionName"]
        for state in states(solution, name).values()
        if state.get("Resource", "").endswith("lambda:invoke")
    }
    assert solution.may(role(solution, name), "lambda:InvokeFunction") == called


@each_machine
def test_a_machine_may_start_exactly_the_machines_it_starts(solution: Synthesised, name: str) -> None:
    started = {
        state["Parameters"]["StateMachineArn"]
        for state in states(solution, name).values()
        if "states:startExecution" in state.get("Resource", "")
    }
    assert started == {arn(solution, child) for child in STARTED.get(name, ())}
    itself = {a for a in solution.may(role(solution, name), "states:StartExecution") if f":{name}-" in a}
    assert solution.may(role(solution, name), "states:StartExecution") - itself == started


@pytest.mark.parametrize("name", STARTED)
def test_waiting_for_another_machine_needs_the_rule_of_step_functions(solution: Synthesised, name: str) -> None:
    for action in ("events:PutTargets", "events:PutRule", "events:DescribeRule"):
        rules = solution.may(role(solution, name), action)
        assert any(rule.endswith("rule/StepFunctionsGetEventsForStepFunctionsExecutionRule") for rule in rules)
    for action in ("states:DescribeExecution", "states:StopExecution"):
        executions = solution.may(role(solution, name), action)
        # its own executions are a distributed map's, asserted below
        assert {e.split(":execution:")[1].split("-")[0] for e in executions} - {name} == STARTED[name]


@each_machine
def test_a_machine_with_distributed_maps_may_run_itself_and_no_other_may(solution: Synthesised, name: str) -> None:
    distributed = any(
        state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED"
        for state in states(solution, name).values()
    )
    itself = {a for a in solution.may(role(solution, name), "states:StartExecution") if f":stateMachine:{name}-" in a}
    children = {a for a in solution.may(role(solution, name), "states:StopExecution") if f":execution:{name}-" in a}
    assert bool(itself) == distributed
    assert len(children) == (2 if distributed else 0)


@each_machine
def test_maps_hand_on_no_lists_that_outgrow_a_state(solution: Synthesised, name: str) -> None:
    for label, state in states(solution, name).items():
        if state["Type"] != "Map":
            continue
        assert state["ResultPath"] is None, label
        ends = [s for s in state["ItemProcessor"]["States"].values() if s.get("End")]
        assert ends, label
        assert all("OutputPath" in s and s["OutputPath"] is None for s in ends), label


@each_machine
def test_batches_are_of_a_hundred_rows_and_no_failure_is_tolerated(solution: Synthesised, name: str) -> None:
    for label, state in states(solution, name).items():
        if state.get("ItemBatcher"):
            assert state["ItemBatcher"]["MaxItemsPerBatch"] == ROWS_AT_ONCE == 100, label
            assert "workflow_run.$" in state["ItemBatcher"]["BatchInput"], label
        if state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
            assert state["ToleratedFailurePercentage"] == 0, label


def test_archives_are_asked_for_one_batch_after_the_other_in_order(solution: Synthesised) -> None:
    maps = [s for s in states(solution, "InitiateRetrievalStateMachine").values() if s["Type"] == "Map"]
    assert [state["MaxConcurrency"] for state in maps] == [1, 1, 1]


def test_partitions_are_read_by_the_columns_of_the_contract(solution: Synthesised) -> None:
    text = json.dumps(definition(solution, "InitiateRetrievalStateMachine"))
    used = {part.split('"')[0].split(",")[0] for part in text.split("$.partition.")[1:]}
    assert used <= set(PARTITION_COLUMNS)


def test_whatever_fails_in_a_run_it_is_cleaned_up(solution: Synthesised) -> None:
    whole = definition(solution, "OrchestratorStateMachine")["States"]
    for label, state in whole.items():
        if state["Type"] == "Task" and label != "Cleanup":
            last = state["Catch"][-1]
            assert last["ErrorEquals"] == ["States.ALL"], label
            assert last["Next"] == "Cleanup", label
            assert last["ResultPath"] == "$.failure", label


def test_the_children_of_a_run_are_named_after_it_so_that_they_can_be_found_and_ended(solution: Synthesised) -> None:
    started = {
        state["Parameters"]["StateMachineArn"]: state["Parameters"]["Name.$"]
        for state in states(solution, "OrchestratorStateMachine").values()
        if "states:startExecution" in state.get("Resource", "")
    }
    assert started == dict.fromkeys(
        (arn(solution, child) for child in STARTED["OrchestratorStateMachine"]), "$.execution_name"
    )
    closer = solution.role_of(solution.functions()["RunCloser"])
    ended = {e.split(":execution:")[1].split("-")[0] for e in solution.may(closer, "states:StopExecution")}
    assert ended == STARTED["OrchestratorStateMachine"] - {"CleanupStateMachine"}


def test_the_clean_up_touches_nothing_before_it_knows_that_the_run_is_its_own(solution: Synthesised) -> None:
    whole = definition(solution, "CleanupStateMachine")["States"]
    assert [*whole][:3] == ["Prepare", "CloseRun", "WhoseRun?"]
    assert whole["CloseRun"]["Catch"][-1]["Next"] == "NotClosed"
    assert whole["WhoseRun?"]["Default"] == "TellNotBegun"
    assert (whole["TellNotBegun"]["Next"], whole["NotBegun"]["Type"]) == ("NotBegun", "Succeed")


def test_uploads_are_aborted_after_the_run_is_closed_and_quiet_and_reported_after_that(solution: Synthesised) -> None:
    labels = [*definition(solution, "CleanupStateMachine")["States"]]
    order = ["CloseRun", "RemoveWindowExtensionTarget", "LookForQuiet", "StopArchives"]
    order += ["AbortUploads", "WriteManifest", "WriteReport"]
    assert sorted(order, key=labels.index) == order


def test_no_step_of_the_clean_up_keeps_the_next_from_running(solution: Synthesised) -> None:
    whole = definition(solution, "CleanupStateMachine")["States"]
    own = ("CloseRun", "TellNotBegun")
    steps = {label: state for label, state in whole.items() if state["Type"] in ("Task", "Map") and label not in own}
    assert list(steps) == [
        "RemoveWindowExtensionTarget",
        "RemoveDashboardUpdateTarget",
        "RemoveCompletionCheckTarget",
        "LookForQuiet",
        "StopArchives",
        "AbortUploads",
        "WriteManifest",
        "LookForInventory",
        "ListUnrequested",
        "WriteReport",
        "UpdateDashboard",
        "Notify",
    ]
    for label, state in steps.items():
        last = state["Catch"][-1]
        assert last["ErrorEquals"] == ["States.ALL"], label
        if label == "LookForQuiet":
            assert last["Next"] == "AnyLeft?"
            continue
        assert whole[last["Next"]]["Next"] == state["Next"] if last["Next"] != state["Next"] else True, label


def test_the_machines_that_wait_for_a_job_are_those_the_facilitator_may_answer(solution: Synthesised) -> None:
    waiting = {
        name
        for name in MACHINES
        if any("waitForTaskToken" in s.get("Resource", "") for s in states(solution, name).values())
    }
    facilitator = solution.role_of(solution.functions()["AsyncFacilitator"])
    for action in ("states:SendTaskSuccess", "states:SendTaskFailure"):
        machines = solution.may(facilitator, action)
        assert {a.split(":stateMachine:")[1].removesuffix("-{suffix}") for a in machines} == waiting


def test_machines_trust_step_functions_of_this_account_alone(solution: Synthesised) -> None:
    for name in MACHINES:
        document = solution.template["Resources"][role(solution, name)]["Properties"]["AssumeRolePolicyDocument"]
        (trust,) = document["Statement"]
        assert trust["Principal"] == {"Service": "states.amazonaws.com"}
        assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


# --- schedules: the local AWS checks neither the role of a target nor the permission of a function ------------------


def put_targets(solution: Synthesised) -> dict[str, dict[str, Any]]:
    """Targets that the orchestrator adds, by rule."""
    found = {}
    for state in states(solution, "OrchestratorStateMachine").values():
        if state.get("Resource", "").endswith("eventbridge:putTargets"):
            (target,) = state["Parameters"]["Targets"]
            found[state["Parameters"]["Rule"]] = target
    return found


@pytest.mark.parametrize(
    ("rule", "machine"),
    [
        ("WindowExtensionRule", "ExtendDownloadWindowStateMachine"),
        ("DashboardUpdateRule", "CloudWatchDashboardUpdateStateMachine"),
    ],
)
def test_a_rule_starts_its_machine_in_a_role_that_may_start_it(solution: Synthesised, rule: str, machine: str) -> None:
    target = put_targets(solution)[f"<{solution.named('AWS::Events::Rule', rule).logical_id}>"]
    assert target["Arn"] == arn(solution, machine)
    starter = target["RoleArn"].strip("<>").removesuffix(".Arn")
    assert target["Arn"] in solution.may(starter, "states:StartExecution")
    assert len(solution.may(starter, "states:StartExecution")) == 2
    (trust,) = solution.template["Resources"][starter]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "events.amazonaws.com"}


def test_the_orchestrator_may_pass_that_role_to_eventbridge_and_nothing_else_anywhere(solution: Synthesised) -> None:
    starter = {target["RoleArn"] for target in put_targets(solution).values() if "RoleArn" in target}
    passing = [
        (r.logical_id, s)
        for r in solution.all("AWS::IAM::Role")
        for s in solution.statements(r.logical_id)
        if "iam:PassRole" in s.actions
    ]
    assert [owner for owner, _ in passing] == [role(solution, "OrchestratorStateMachine")]
    (_, statement) = passing[0]
    assert statement.resources == starter
    assert statement.conditions == {"StringEquals": {"iam:PassedToService": "events.amazonaws.com"}}


def test_the_completion_rule_calls_its_function_which_lets_it(solution: Synthesised) -> None:
    rule = solution.named("AWS::Events::Rule", "CompletionCheckRule")
    checker = f"<{solution.functions()['CompletionChecker'].logical_id}.Arn>"
    assert put_targets(solution)[f"<{rule.logical_id}>"]["Arn"] == checker
    assert permissions(solution)[f"<{rule.logical_id}.Arn>"] == checker


def permissions(solution: Synthesised) -> dict[str, str]:
    """Functions that rules may call, by rule."""
    found = {}
    for permission in solution.all("AWS::Lambda::Permission"):
        assert permission.properties["Principal"] == "events.amazonaws.com"
        source, function = permission.properties["SourceArn"], permission.properties["FunctionName"]
        found[solution.text(source)] = solution.text(function)
    return found


@pytest.mark.parametrize("name", ["RunWatchRule", "OrchestratorEndedRule"])
def test_runs_are_watched_by_rules_that_need_no_run_to_tell_them(solution: Synthesised, name: str) -> None:
    rule = solution.named("AWS::Events::Rule", name)
    watcher = f"<{solution.functions()['RunWatcher'].logical_id}.Arn>"
    assert [solution.text(target["Arn"]) for target in rule.properties["Targets"]] == [watcher]
    assert rule.properties["State"] == "ENABLED"
    assert permissions(solution)[f"<{rule.logical_id}.Arn>"] == watcher


def test_the_end_of_an_orchestrator_is_looked_at_at_once_unless_it_ended_well(solution: Synthesised) -> None:
    pattern = solution.named("AWS::Events::Rule", "OrchestratorEndedRule").properties["EventPattern"]
    assert pattern["source"] == ["aws.states"]
    assert pattern["detail-type"] == ["Step Functions Execution Status Change"]
    assert pattern["detail"]["status"] == ["ABORTED", "FAILED", "TIMED_OUT"]
    [machine] = pattern["detail"]["stateMachineArn"]
    assert solution.text(machine).endswith(":stateMachine:OrchestratorStateMachine-{suffix}")


def test_those_who_end_runs_may_start_the_clean_up_and_end_the_orchestrator(solution: Synthesised) -> None:
    for function in ("RunWatcher", "RunStopper"):
        own = solution.role_of(solution.functions()[function])
        [started] = solution.may(own, "states:StartExecution")
        assert started.endswith(":stateMachine:CleanupStateMachine-{suffix}")
        [stopped] = solution.may(own, "states:StopExecution")
        assert stopped.endswith(":execution:OrchestratorStateMachine-{suffix}:*")


def test_targets_come_and_go_on_our_three_rules_alone(solution: Synthesised) -> None:
    targeted = ("WindowExtensionRule", "DashboardUpdateRule", "CompletionCheckRule")
    rules = {f"<{solution.named('AWS::Events::Rule', name).logical_id}.Arn>" for name in targeted}
    every = {f"<{rule.logical_id}.Arn>" for rule in solution.all("AWS::Events::Rule")}
    own = {r for r in solution.may(role(solution, "OrchestratorStateMachine"), "events:PutTargets") if r in every}
    assert own == rules
    assert solution.may(role(solution, "CleanupStateMachine"), "events:RemoveTargets") == rules


def test_metrics_go_to_our_namespace_alone(solution: Synthesised) -> None:
    publishing = [
        (r.logical_id, s.conditions["StringEquals"]["cloudwatch:namespace"])
        for r in solution.all("AWS::IAM::Role")
        for s in solution.statements(r.logical_id)
        if "cloudwatch:PutMetricData" in s.actions
    ]
    assert dict(publishing)[role(solution, "CloudWatchDashboardUpdateStateMachine")] == "GlacierTransfer"
    assert {namespace for _, namespace in publishing} == {"GlacierTransfer", "Glue"}
