package jobs

import (
	"context"
	"errors"
	"iter"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// item is something with an id and a name.
type item struct {
	id, name string
	kind     string // a model's state, an action's type
	imp      anaplan.Import
	file     anaplan.File
}

// catalog reads each list of a tenant once.
type catalog struct {
	connect Connect
	tenants map[string]*Tenant
	users   map[string]anaplan.User
	lists   map[listKey][]item
}

type listKey struct {
	connection, model, what string
}

func newCatalog(connect Connect) *catalog {
	return &catalog{connect: connect, tenants: map[string]*Tenant{}, users: map[string]anaplan.User{}, lists: map[listKey][]item{}}
}

func (c *catalog) tenant(ctx context.Context, connection string) (*Tenant, error) {
	if t := c.tenants[connection]; t != nil {
		return t, nil
	}
	t, err := c.connect(ctx, connection)
	if err == nil {
		c.tenants[connection] = t
	}
	return t, err
}

func (c *catalog) host(ctx context.Context, connection string) (string, error) {
	t, err := c.tenant(ctx, connection)
	if err != nil {
		return "", err
	}
	return t.Host, nil
}

func (c *catalog) user(ctx context.Context, connection string) (anaplan.User, error) {
	if u, ok := c.users[connection]; ok {
		return u, nil
	}
	t, err := c.tenant(ctx, connection)
	if err != nil {
		return anaplan.User{}, err
	}
	u, err := t.Client.Me(ctx)
	if err == nil {
		c.users[connection] = u
	}
	return u, err
}

// list reads a list once.
func (c *catalog) list(ctx context.Context, key listKey, read func(*anaplan.Client) iter.Seq2[item, error]) ([]item, error) {
	if items, ok := c.lists[key]; ok {
		return items, nil
	}
	t, err := c.tenant(ctx, key.connection)
	if err != nil {
		return nil, err
	}
	items := []item{}
	for n, err := range read(t.Client) {
		if err != nil {
			return nil, err
		}
		items = append(items, n)
	}
	c.lists[key] = items
	return items, nil
}

// as makes items of a list's rows.
func as[T any](rows iter.Seq2[T, error], of func(T) item) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		for r, err := range rows {
			if !yield(of(r), err) {
				return
			}
		}
	}
}

func (c *catalog) workspaces(ctx context.Context, connection string) ([]item, error) {
	return c.list(ctx, listKey{connection: connection, what: "workspaces"}, func(a *anaplan.Client) iter.Seq2[item, error] {
		return as(a.Workspaces(ctx), func(w anaplan.Workspace) item { return item{id: w.ID, name: w.Name} })
	})
}

func (c *catalog) models(ctx context.Context, connection, workspace string) ([]item, error) {
	return c.list(ctx, listKey{connection, workspace, "models"}, func(a *anaplan.Client) iter.Seq2[item, error] {
		return as(a.Models(ctx, workspace), func(m anaplan.Model) item { return item{id: m.ID, name: m.Name, kind: m.ActiveState} })
	})
}

func (c *catalog) files(ctx context.Context, connection string, m ledger.ModelRef) ([]item, error) {
	return c.list(ctx, listKey{connection, m.ID, "files"}, func(a *anaplan.Client) iter.Seq2[item, error] {
		return as(a.Files(ctx, refOf(m)), func(f anaplan.File) item { return item{id: f.ID, name: f.Name, file: f} })
	})
}

func (c *catalog) objects(ctx context.Context, connection string, m ledger.ModelRef, kind anaplan.Kind) ([]item, error) {
	return c.list(ctx, listKey{connection, m.ID, string(kind)}, func(a *anaplan.Client) iter.Seq2[item, error] {
		switch kind {
		case anaplan.KindImport:
			return as(a.Imports(ctx, refOf(m)), func(i anaplan.Import) item { return item{id: i.ID, name: i.Name, kind: i.Type, imp: i} })
		case anaplan.KindExport:
			return as(a.Exports(ctx, refOf(m)), func(e anaplan.Export) item { return item{id: e.ID, name: e.Name, kind: e.Type} })
		case anaplan.KindProcess:
			return as(a.Processes(ctx, refOf(m)), func(p anaplan.Process) item { return item{id: p.ID, name: p.Name} })
		}
		return as(a.Actions(ctx, refOf(m)), func(o anaplan.Action) item { return item{id: o.ID, name: o.Name, kind: o.Type} })
	})
}

func (c *catalog) importDetail(ctx context.Context, connection string, m ledger.ModelRef, id string) (anaplan.ImportDetail, error) {
	t, err := c.tenant(ctx, connection)
	if err != nil {
		return anaplan.ImportDetail{}, err
	}
	return t.Client.ImportDetail(ctx, refOf(m), id)
}

func (c *catalog) exportDetail(ctx context.Context, connection string, m ledger.ModelRef, id string) (anaplan.ExportDetail, error) {
	t, err := c.tenant(ctx, connection)
	if err != nil {
		return anaplan.ExportDetail{}, err
	}
	return t.Client.ExportDetail(ctx, refOf(m), id)
}

func (c *catalog) processDetail(ctx context.Context, connection string, m ledger.ModelRef, id string) (anaplan.ProcessDetail, error) {
	t, err := c.tenant(ctx, connection)
	if err != nil {
		return anaplan.ProcessDetail{}, err
	}
	return t.Client.ProcessDetail(ctx, refOf(m), id)
}

func refOf(m ledger.ModelRef) anaplan.ModelRef {
	return anaplan.ModelRef{Workspace: m.Workspace, Model: m.ID}
}

func isNotFound(err error) bool { return errors.Is(err, anaplan.ErrNotFound) }
