package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs"
)

// scriptStart is `start KIND NAME`: runs an object of the Sales Hub, without a runner, to
// its end.
func scriptStart(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: start KIND NAME")
	}
	ts.Check(start(ts.Getenv("SIM"), ts.MkAbs("."), args[0], args[1]))
}

func start(url, dir, kind, object string) error {
	p := &Program{In: os.Stdin, Out: io.Discard, Err: io.Discard, Now: time.Now, Getenv: func(string) (string, bool) { return "", false }, log: newLog(io.Discard)}
	t := p.tenantsAt(configs.Connection{APIURL: url + "/2/0", AuthURL: url, Dir: dir, Certificates: []string{"cert.pem"}, PrivateKeys: []string{"key.pem"}})
	defer t.Close()
	ctx := context.Background()
	m, err := jobs.Locate(ctx, t.Connect, configs.Ref{Name: "Finance"}, configs.Ref{Name: "Sales Hub"})
	if err != nil {
		return err
	}
	found, err := jobs.LocateObject(ctx, t.Connect, m, configs.Verb(kind), configs.Ref{Name: object})
	if err != nil {
		return err
	}
	one, err := t.tenant("")
	if err != nil {
		return err
	}
	o := anaplan.Object{Model: anaplan.ModelRef{Workspace: m.Workspace, Model: m.ID}, Kind: anaplan.Kind(kind), ID: found.ID}
	task, err := one.Client.Start(ctx, o, anaplan.StartOptions{Locale: "en_US"})
	if err != nil {
		return err
	}
	for range 100 {
		if task, err = one.Client.Task(ctx, o, task.ID); err != nil || task.State.Terminal() {
			return err
		}
		time.Sleep(100 * time.Millisecond) // as often as the simulator, so much faster, may be asked
	}
	return errors.New("the task never ended")
}
