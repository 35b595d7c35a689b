package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// connect makes a client as in the example of package anaplan, and finds a server file.
func connect(sim *simulator.Simulator, name string) (*anaplan.Client, anaplan.ModelRef, string) {
	ctx, network := context.Background(), sim.Transport()
	tokens := auth.NewSource(auth.SourceOptions{Login: auth.Basic{User: sample.Email, Password: secret.FromString(sample.Password)},
		Client: &http.Client{Transport: network}, Base: "https://auth.anaplan.com"})
	client := anaplan.New(anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: network, Authorize: func(rt http.RoundTripper) http.RoundTripper {
		return &auth.Transport{Source: tokens, Base: rt, Hosts: []string{"api.anaplan.com"}}
	}}), "https://api.anaplan.com/2/0")
	for m, err := range client.AllModels(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if m.Name != "Sales Hub" {
			continue
		}
		hub := anaplan.ModelRef{Workspace: m.WorkspaceID, Model: m.ID}
		for f, err := range client.Files(ctx, hub) {
			if err != nil {
				log.Fatal(err)
			}
			if f.Name == name {
				return client, hub, f.ID
			}
		}
	}
	log.Fatal("no such file")
	return nil, anaplan.ModelRef{}, ""
}

// A file is read by offset, so the same Upload can be sent again after an error.
func ExampleSend() {
	sim := simulator.New(sample.Company(), simulator.Options{})
	defer sim.Close()
	client, hub, file := connect(sim, "sales.csv")

	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	data, err := fs.ReadFile(sample.Data(), "sales.csv")
	if err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "sales.csv")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		log.Fatal(err)
	}

	f, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		log.Fatal(err)
	}
	up, err := transfer.Send(context.Background(), client, transfer.Upload{
		Model: hub, File: file, At: f, Size: info.Size(), ChunkSize: 100_000,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(up.Bytes == info.Size(), up.Chunks, "chunks")
	// Output: true 1 chunks
}

// A stream, such as the output of a query, has no length before its end.
func ExampleSend_stream() {
	sim := simulator.New(sample.Company(), simulator.Options{})
	defer sim.Close()
	client, hub, file := connect(sim, "rates.csv")

	stream := strings.NewReader(strings.Repeat("Currency,Month,Rate\n", 1000))
	up, err := transfer.Send(context.Background(), client, transfer.Upload{
		Model: hub, File: file, Source: stream, Size: -1, ChunkSize: 5000,
	})
	fmt.Println(up.Bytes, up.Chunks, err)

	_, err = transfer.Send(context.Background(), client, transfer.Upload{
		Model: hub, File: file, Source: strings.NewReader(""), Size: -1,
	})
	fmt.Println(errors.Is(err, transfer.ErrEmpty))
	// Output:
	// 20000 4 <nil>
	// true
}

// The writer gets the bytes in order. Only without an error does it have all of them.
func ExampleReceive() {
	ctx := context.Background()
	sim := simulator.New(sample.Company(), simulator.Options{})
	defer sim.Close()
	client, hub, file := connect(sim, "sales.csv")
	if err := client.PutFile(ctx, hub, file, anaplan.BytesBody([]byte("a,b\n1,2\n"))); err != nil {
		log.Fatal(err)
	}

	var b strings.Builder
	down, err := transfer.Receive(ctx, client, transfer.Download{Model: hub, File: file, Writer: &b})
	fmt.Printf("%d bytes in %d chunk, %q %v\n", down.Bytes, down.Chunks, b.String(), err)
	// Output: 8 bytes in 1 chunk, "a,b\n1,2\n" <nil>
}
