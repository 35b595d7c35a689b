"""The published Python client, unmodified, against the simulator.

usage: anaplan_sdk_night.py DIR   where DIR was written by `simulate --dir DIR`

The client's addresses are fixed: api.anaplan.com and auth.anaplan.com have to lead to the
simulator, and its authority has to be trusted.
"""

import sys
from pathlib import Path

from anaplan_sdk import Client


def one(things, name):
    found = [t for t in things if t.name == name]
    assert len(found) == 1, (name, things)
    return found[0]


def main():
    folder = Path(sys.argv[1])
    client = Client(
        certificate=str(folder / "certificate.pem"),
        private_key=str(folder / "private-key.pem"),
        upload_chunk_size=20_000,  # several chunks, in parallel
        retry_count=0,
    )
    workspace = one(client.get_workspaces(), "Finance")
    model = one(client.get_models(), "Sales Hub")
    assert client.get_model(model.id).name == "Sales Hub"
    hub = client.with_model(model_id=model.id, workspace_id=workspace.id)

    files = hub.get_files()
    imports, exports, actions, processes = hub.get_imports(), hub.get_exports(), hub.get_actions(), hub.get_processes()
    print(len(files), "files,", len(imports), "imports,", len(exports), "exports,", len(actions), "actions,", len(processes), "processes")
    assert len(imports) >= 5 and len(exports) >= 2 and len(processes) >= 3 and len(actions) >= 3

    products = (folder / "data" / "products.csv").read_text()
    hub.upload_file(one(files, "products.csv").id, products)
    assert hub.get_file(one(files, "products.csv").id).decode() == products
    loaded = hub.run_action(one(imports, "Load Products").id)
    assert loaded.task_state == "COMPLETE" and loaded.result.successful, loaded
    print("Load Products:", loaded.result.details[0].local_message_text if loaded.result.details else "no details")

    expired = (folder / "data" / "expired.csv").read_text()
    hub.upload_file_stream(one(files, "expired.csv").id, [expired[:500], expired[500:]], batch_size=1)
    flagged = hub.run_action(one(imports, "Flag expired rows").id)
    assert flagged.result.successful, flagged

    output = hub.export_and_download(one(exports, "Store List").id).decode("iso-8859-1")
    assert output.count("\n") >= 10 and "Paris Rivoli" in output, output[:200]
    print("Store List:", output.count("\n"), "lines, header", output.splitlines()[0])

    deleted = hub.run_action(one(actions, "Delete expired rows").id)
    assert deleted.task_state == "COMPLETE" and deleted.result.successful, deleted
    history = hub.get_task_summaries(one(actions, "Delete expired rows").id)
    assert [t.task_state for t in history] == ["COMPLETE"], history

    task = hub.run_action(one(processes, "Publish Month").id, wait_for_completion=False)
    assert task.id, task
    print("anaplan-sdk: the night is done")


main()
