"""Runs the README's DAG with real Airflow: a good night, a broken job, one in which every step is skipped, and a task that is killed.

usage: airflow_check.py DAGS RUNNER
"""

import importlib.util
import json
import os
import subprocess
import sys
import threading
import time

dags, runner = sys.argv[1:]


def load(name):
    spec = importlib.util.spec_from_file_location(name, f"{dags}/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.dag


def run(name):
    task = load(name).test().get_task_instance("nightly")
    return str(getattr(task.state, "value", task.state)), task.xcom_pull(task_ids="nightly")


state, result = run("anaplan_nightly")
print("good night:", state, {k: result[k] for k in ("job", "run", "verdict", "exit_code")})
assert state == "success" and result["verdict"] == "ok" and result["exit_code"] == 0 and len(result["steps"]) == 8, result
assert result["run"].startswith("anaplan_nightly/nightly/manual__"), result["run"]

state, _ = run("anaplan_broken")
print("broken job:", state)
assert state == "failed"

state, _ = run("anaplan_skipped")
print("every step skipped:", state)
assert state == "skipped"

# What Airflow does with a task that is to be stopped: it calls on_kill while execute runs.
operator = load("anaplan_killed").get_task("nightly")
os.environ.update(AIRFLOW_CTX_DAG_ID="anaplan_killed", AIRFLOW_CTX_TASK_ID="nightly", AIRFLOW_CTX_DAG_RUN_ID="once", AIRFLOW_CTX_TRY_NUMBER="1")
del os.environ["ANAPLAN_SIMULATOR_SPEED"]  # its simulator is slow
ended = []


def execute():
    try:
        operator.execute({})
    except BaseException as e:
        ended.append(e)


thread = threading.Thread(target=execute)
thread.start()


def killed_run():
    out = subprocess.run([runner, "runs", "--output", "json"], capture_output=True, text=True).stdout.splitlines()
    return next(r for r in json.loads(out[-1])["runs"] if r["run"] == "anaplan_killed/nightly/once")


for _ in range(300):
    process = operator.subprocess_hook.sub_process
    if process and process.poll() is None and subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True).returncode == 1:
        # exec: the shell has become the runner, which has no children.
        with open(f"/proc/{process.pid}/comm") as f:
            if f.read().startswith("anaplan-runner"[:15]):
                break
    time.sleep(0.1)
else:
    raise SystemExit("the runner never took the shell's place")
time.sleep(2)
began = time.monotonic()
operator.on_kill()
thread.join(20)
took = time.monotonic() - began
print("killed:", ended[0], f"after {took:.1f} s; the record:", killed_run()["verdict"], killed_run().get("exit_code"))
assert "143" in str(ended[0]) and took < 5 and killed_run()["exit_code"] == 143
