package jobs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/jobs/data/dump"
	"github.com/anaplan-runner/anaplan-runner/jobs/report"
)

// firstRejected reads a failure dump for a report.
func firstRejected(path string, most int) (report.Rejected, error) {
	f, err := os.Open(path)
	if err != nil {
		return report.Rejected{}, err
	}
	defer f.Close()
	table, err := dump.Read(f, most)
	first := report.Rejected{Columns: table.Columns, More: table.More}
	for _, row := range table.Rows {
		first.Rows = append(first.Rows, report.Row(row))
	}
	return first, err
}

// TestReportShowsRejectedRowsAsTheJobAllows: the number goes from the job file through
// the ledger to the page, and the rows go nowhere else.
func TestReportShowsRejectedRowsAsTheJobAllows(t *testing.T) {
	for _, allowed := range []int{0, 3} {
		t.Run(fmt.Sprint(allowed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNight(t, simulator.Options{})
				defer n.close()
				step := loadSales(n, 1000)
				step.ShowRejected = allowed
				s := n.run(t.Context(), step)
				first, err := firstRejected(s.Steps[0].Dumps[0].Path, 4)
				if err != nil || len(first.Rows) != 4 {
					t.Fatalf("the sample rejects %d rows at least, %v", len(first.Rows), err)
				}
				var text, wire, page bytes.Buffer
				r := report.New(s, report.Options{Ledger: n.ledger.Where(), Rejected: firstRejected})
				if err := errors.Join(report.Text(&text, r, report.TextOptions{}), report.JSON(&wire, r), report.HTML(&page, r)); err != nil {
					t.Fatal(err)
				}
				for i, row := range first.Rows {
					key := row.Cells[0] // a product's code, in no name and no reason
					if got := strings.Contains(page.String(), ">"+key+"<"); got != (i < allowed) {
						t.Errorf("row %d (%s) is in the page: %t, allowed are %d", i+1, key, got, allowed)
					}
					if strings.Contains(text.String()+wire.String(), key) {
						t.Errorf("row %d (%s) is in the text or the JSON", i+1, key)
					}
				}
			})
		})
	}
}
