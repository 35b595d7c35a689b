package anaplan_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// connect makes a client as in the package's example, and finds the model.
func connect(sim *simulator.Simulator) (*anaplan.Client, anaplan.ModelRef) {
	network := sim.Transport()
	tokens := auth.NewSource(auth.SourceOptions{Login: auth.Basic{User: sample.Email, Password: secret.FromString(sample.Password)},
		Client: &http.Client{Transport: network}, Base: "https://auth.anaplan.com"})
	client := anaplan.New(anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: network, Authorize: func(rt http.RoundTripper) http.RoundTripper {
		return &auth.Transport{Source: tokens, Base: rt, Hosts: []string{"api.anaplan.com"}}
	}}), "https://api.anaplan.com/2/0")
	for m, err := range client.AllModels(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		if m.Name == "Sales Hub" {
			return client, anaplan.ModelRef{Workspace: m.WorkspaceID, Model: m.ID}
		}
	}
	log.Fatal("no model")
	return nil, anaplan.ModelRef{}
}

// The start of a task is sent once. When its answer is lost nobody may say that it was
// not started, nor send it again.
func ExampleStartError() {
	sim := simulator.New(sample.Company(), simulator.Options{Speed: 1000})
	defer sim.Close()
	client, hub := connect(sim)
	sim.AddFaults(simulator.Fault{Method: "POST", Path: "/tasks$", Status: 502, Body: "html", Took: true})

	process := anaplan.Object{Model: hub, Kind: anaplan.KindProcess}
	for p, err := range client.Processes(context.Background(), hub) {
		if err != nil {
			log.Fatal(err)
		}
		if p.Name == "Publish Month" {
			process.ID = p.ID
		}
	}
	_, err := client.Start(context.Background(), process, anaplan.StartOptions{Locale: "en_US"})
	switch {
	case errors.Is(err, anaplan.ErrNotStarted):
		fmt.Println("try again")
	case errors.Is(err, anaplan.ErrStartUnknown):
		fmt.Println("look first")
	}
	e, _ := errors.AsType[*anaplan.Error](err)
	fmt.Println(e.Status, e.Message)
	fmt.Println("tasks that Anaplan has:", len(sim.Tasks()))
	// Output:
	// look first
	// 502 502 Bad Gateway 502 Bad Gateway nginx
	// tasks that Anaplan has: 1
}

// Rows that an import rejected are in its failure dump, until its next run.
func ExampleClient_DumpChunks() {
	ctx := context.Background()
	sim := simulator.New(sample.Company(), simulator.Options{Speed: 1000})
	defer sim.Close()
	client, hub := connect(sim)

	load := anaplan.Object{Model: hub, Kind: anaplan.KindImport}
	var file string
	for i, err := range client.Imports(ctx, hub) {
		if err != nil {
			log.Fatal(err)
		}
		if i.Name == "Load Stores" {
			load.ID, file = i.ID, i.File()
		}
	}
	stores, err := fs.ReadFile(sample.Data(), "stores.csv")
	if err != nil {
		log.Fatal(err)
	}
	if err := client.PutFile(ctx, hub, file, anaplan.BytesBody(stores)); err != nil {
		log.Fatal(err)
	}
	task, err := client.Start(ctx, load, anaplan.StartOptions{Locale: "en_US"})
	for err == nil && !task.State.Terminal() {
		time.Sleep(5 * time.Millisecond) // Anaplan wants 5 s
		task, err = client.Task(ctx, load, task.ID)
	}
	if err != nil {
		log.Fatal(err)
	}
	counts := task.Result.Counts()
	fmt.Println("rejected:", *counts.Failed, "of", *counts.Total)
	dump := anaplan.Dump{Object: load, TaskID: task.ID}
	chunks, err := client.DumpChunks(ctx, dump)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range chunks {
		body, err := client.GetDumpChunk(ctx, dump, c.ID)
		if err != nil {
			log.Fatal(err)
		}
		if _, err := io.Copy(os.Stdout, body); err != nil {
			log.Fatal(err)
		}
		body.Close()
	}
	// Output:
	// rejected: 2 of 30
	// "_Status_","Store","Code","Country","Opened","Floor space","_Line_","_Error_1_"
	// "W","Nürnberg","S140","Germany","31/02/2026","240","28","Invalid date: 31/02/2026"
	// "E","Zürich","S141","Switzerland","01/05/2026","310","29","Invalid parent"
	// "E","","S142","France","01/06/2026","120","30","Invalid name: "
	// "W","Reims","S143","France","12/09/2026","about 200","31","Invalid number: about 200"
}
