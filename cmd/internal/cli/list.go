package cli

import (
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// listing is one kind of thing that list can list. Its read gives what is listed: values
// for JSON, and rows for people, the first with the heads.
type listing struct {
	kind  string
	usage string
	in    string // "tenant", "workspace" or "model"
	read  func(ctx context.Context, c *anaplan.Client, at listedPlace) (listed, error)
}

// listedPlace is where a list is read.
type listedPlace struct {
	workspace string // id; empty: every workspace
	model     anaplan.ModelRef
}

// listed is what was read.
type listed struct {
	items []any
	rows  [][]string
}

func (p *Program) listCommand() *cli.Command {
	command := &cli.Command{Name: "list", Usage: "lists what is in Anaplan: workspaces, models, files, imports, exports, processes, actions",
		Description: "Names and ids are those that job files, exec, upload and download take.\n\n" +
			"   " + name + " list models --connection prod\n" +
			"   " + name + " list imports --connection prod --workspace Finance --model \"Sales Hub\" --output json"}
	for _, l := range listings() {
		where := []cli.Flag{}
		switch l.in {
		case "model":
			where = placeFlags()
		case "workspace":
			where = placeFlags()[:1]
		}
		command.Subcommands = append(command.Subcommands, &cli.Command{
			Name: l.kind, Usage: l.usage, Flags: flags(where, loginFlags(), outputFlags(), logFlags()),
			Action: func(c *cli.Context) error { return p.list(c, l) },
		})
	}
	return command
}

// listResult is the result of list.
type listResult struct {
	Schema    int              `json:"schema"`
	Kind      string           `json:"kind"`
	Workspace string           `json:"workspace,omitempty"` // id
	Model     *ledger.ModelRef `json:"model,omitempty"`
	Items     []any            `json:"items"` // not null

	rows [][]string
}

func (p *Program) list(c *cli.Context, l listing) error {
	p.startLog(c)
	if _, err := arguments(c); err != nil {
		return err
	}
	conn, err := p.login(c)
	if err != nil {
		return err
	}
	return p.interruptible(c, func(ctx context.Context) error {
		t := p.tenantsAt(conn)
		defer t.Close()
		r := listResult{Schema: 1, Kind: l.kind}
		one, err := t.tenant("")
		if err != nil {
			return err
		}
		var at listedPlace
		switch l.in {
		case "workspace":
			if w := p.setting(c, "workspace"); w != "" {
				at.workspace, err = findWorkspace(ctx, one.Client, w)
			}
			r.Workspace = at.workspace
		case "model":
			var m ledger.ModelRef
			m, err = p.locate(ctx, c, conn, t)
			at.model = anaplan.ModelRef{Workspace: m.Workspace, Model: m.ID}
			r.Workspace, r.Model = m.Workspace, &m
		}
		if err != nil {
			return err
		}
		found, err := l.read(ctx, one.Client, at)
		if err != nil {
			return err
		}
		r.Items, r.rows = append([]any{}, found.items...), found.rows
		return p.finish(c, ledger.CodeOK, r, r.text)
	})
}

func (r listResult) text(w io.Writer) error {
	if len(r.Items) == 0 {
		_, err := fmt.Fprintf(w, "there are no %s\n", r.Kind)
		return err
	}
	return writeTable(w, r.rows)
}

// locate finds the model that the flags, the variables or the connection name.
func (p *Program) locate(ctx context.Context, c *cli.Context, conn configs.Connection, t *tenants) (ledger.ModelRef, error) {
	workspace, model, err := p.place(c, conn)
	if err != nil {
		return ledger.ModelRef{}, err
	}
	return jobs.Locate(ctx, t.Connect, workspace, model)
}

// findWorkspace finds the id of a workspace by its name or id.
func findWorkspace(ctx context.Context, client *anaplan.Client, wanted string) (string, error) {
	var names, ids []string
	for w, err := range client.Workspaces(ctx) {
		if err != nil {
			return "", err
		}
		if w.ID == wanted {
			return w.ID, nil
		}
		if w.Name == wanted {
			ids = append(ids, w.ID)
		}
		names = append(names, w.Name)
	}
	switch len(ids) {
	case 1:
		return ids[0], nil
	case 0:
		next := "see " + name + " list workspaces"
		if near := configs.Nearest(wanted, names); near != "" {
			next = fmt.Sprintf("did you mean %q? ", near) + next
		}
		return "", &failure{code: ledger.CodeConfig, cause: ledger.CauseConfig, what: fmt.Sprintf("there is no workspace %q", wanted), next: next}
	}
	return "", &failure{code: ledger.CodeConfig, cause: ledger.CauseConfig, what: fmt.Sprintf("%d workspaces bear the name %q", len(ids), wanted),
		next: "write the id of the one you mean: " + fmt.Sprint(ids)}
}

// collect makes items and rows of what a call lists.
func collect[T any](all iter.Seq2[T, error], heads []string, item func(T) (value any, row []string)) (listed, error) {
	l := listed{rows: [][]string{heads}}
	for one, err := range all {
		if err != nil {
			return listed{}, err
		}
		value, row := item(one)
		l.items = append(l.items, value)
		for i := range row {
			row[i] = or(row[i], "-")
		}
		l.rows = append(l.rows, row)
	}
	return l, nil
}
