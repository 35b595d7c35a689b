package anaplan_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// Logs in, finds a model and runs an export in it. Against Anaplan the only difference
// is the network: anaplan.BaseTransport instead of the simulator's, and the addresses of
// the tenant's region.
func Example() {
	ctx := context.Background()
	sim := simulator.New(sample.Company(), simulator.Options{Speed: 1000})
	defer sim.Close()
	network := sim.Transport()
	hosts, _ := anaplan.Region("us1")

	tokens := auth.NewSource(auth.SourceOptions{
		Login:  auth.Basic{User: sample.Email, Password: secret.FromString(sample.Password)},
		Client: &http.Client{Transport: network},
		Base:   hosts.Auth,
	})
	client := anaplan.New(anaplan.NewHTTPClient(anaplan.HTTPOptions{
		Base: network,
		Authorize: func(rt http.RoundTripper) http.RoundTripper {
			return &auth.Transport{Source: tokens, Base: rt, Hosts: []string{"api.anaplan.com"}}
		},
		Limiter: anaplan.NewLimiter(0),
	}), hosts.API)

	// Lists are iterators; names are ours to look up, Anaplan wants ids.
	var hub anaplan.ModelRef
	for m, err := range client.AllModels(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if m.Name == "Sales Hub" {
			hub = anaplan.ModelRef{Workspace: m.WorkspaceID, Model: m.ID}
		}
	}
	var export anaplan.Object
	for e, err := range client.Exports(ctx, hub) {
		if err != nil {
			log.Fatal(err)
		}
		if e.Name == "Forecast Output" {
			export = anaplan.Object{Model: hub, Kind: anaplan.KindExport, ID: e.ID}
		}
	}

	task, err := client.Start(ctx, export, anaplan.StartOptions{Locale: "en_US"})
	if err != nil {
		log.Fatal(err) // errors.Is(err, anaplan.ErrStartUnknown): look before you start it again
	}
	for !task.State.Terminal() {
		time.Sleep(5 * time.Millisecond) // Anaplan wants 5 s
		if task, err = client.Task(ctx, export, task.ID); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(task.State, task.Result.Successful, task.Result.Details[0].Type)
	if err := tokens.Logout(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: COMPLETE true exportSucceeded
}
