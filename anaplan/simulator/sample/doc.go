// Package sample is a company for demonstrations and tests: a retailer with a hub model, two spokes and
// a model of its people, the CSV files of one night, and a certificate to log in with.
//
// In workspace Finance: model "Sales Hub" with the imports "Load Products" (clean), "Load Stores"
// (ISO-8859-1, a warning and rejected rows), "Load Sales" (prompts for Version, rejects rows for four
// different reasons), "Load Rates" (prompts, rejects some), "Load Budget" (UTF-16LE with tabs, ignores a
// calculated line item), "Flag expired rows", "Load Users" and "Copy Actuals to Forecast" (from a model);
// the processes "Nightly Forecast", "Load Master Data" and "Publish Month"; the exports "Forecast Output"
// and "Store List"; the actions "Delete expired rows", "Order products", "Open banner" and "Close
// banner". The spokes "FP&A EMEA" and "FP&A AMER" have the process "Pull from Hub" and the import "Load
// Targets"; "Sales Hub 2024" is archived. In workspace People: model "Headcount", closed.
package sample

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
)

// The login of the sample's integration user, who may do everything.
const (
	Email    = "nightly.batch@example.com"
	Password = "correct horse battery"
)

//go:embed company.toml
var company []byte

//go:embed data
var data embed.FS

// Company returns a fresh copy of the sample company.
func Company() *simulator.Company {
	c, err := simulator.Load(bytes.NewReader(company))
	if err != nil {
		panic(fmt.Sprintf("sample: %v", err)) // the file is part of the program, and tested
	}
	return c
}

// Source returns company.toml as it stands, as an example of the format.
func Source() []byte { return bytes.Clone(company) }

// Data holds the CSV files of the sample night: products.csv, stores.csv, sales.csv, rates.csv,
// budget.txt, expired.csv, targets_emea.csv, targets_amer.csv and employees.csv.
func Data() fs.FS {
	files, err := fs.Sub(data, "data")
	if err != nil {
		panic(fmt.Sprintf("sample: %v", err))
	}
	return files
}
