package anaplan

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// Result is what Anaplan says of a task that ended, or of one action in a process
// (anaplan-api.md 11.3).
type Result struct {
	ObjectID             string
	ObjectName           string // may be missing
	Successful           bool
	FailureDumpAvailable bool
	Details              []Detail
	Nested               []Result // of a process, in execution order
	StartTime            time.Time
	Duration             time.Duration
}

// UnmarshalJSON reads Anaplan's form.
func (r *Result) UnmarshalJSON(data []byte) error {
	var wire struct {
		ObjectID             string          `json:"objectId"`
		ObjectName           string          `json:"objectName"`
		Successful           bool            `json:"successful"`
		FailureDumpAvailable bool            `json:"failureDumpAvailable"`
		Details              []Detail        `json:"details"`
		Nested               []Result        `json:"nestedResults"`
		StartTime            millis          `json:"startTime"`
		Duration             json.RawMessage `json:"duration"` // milliseconds, a string
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	*r = Result{ObjectID: wire.ObjectID, ObjectName: wire.ObjectName, Successful: wire.Successful,
		FailureDumpAvailable: wire.FailureDumpAvailable, Details: wire.Details, Nested: wire.Nested,
		StartTime: time.Time(wire.StartTime)}
	if n, ok := number(wire.Duration); ok && n > 0 && n < int64(1<<62/time.Millisecond) {
		r.Duration = time.Duration(n) * time.Millisecond
	}
	return nil
}

// Detail is one statement on a result (anaplan-api.md 11.4).
type Detail struct {
	Type        string            // a code of anaplan-api.md 11.5
	Text        string            // Anaplan's own words; may be missing
	Occurrences int64             // often 0
	Values      map[string]string // without those that were null
}

// UnmarshalJSON reads Anaplan's form: values are a flat list of keys and values, in any
// order, of which some may be null. Those that are no strings keep their JSON: a task
// must not look as if it had not ended because a detail is odd.
func (d *Detail) UnmarshalJSON(data []byte) error {
	var wire struct {
		Type        text            `json:"type"`
		Text        text            `json:"localMessageText"`
		Occurrences json.RawMessage `json:"occurrences"`
		Values      values          `json:"values"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	*d = Detail{Type: string(wire.Type), Text: string(wire.Text), Values: wire.Values}
	d.Occurrences, _ = number(wire.Occurrences)
	return nil
}

// text is a JSON string; of anything else but null its JSON.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	var s string
	if json.Unmarshal(data, &s) != nil {
		s = string(data)
	}
	*t = text(s)
	return nil
}

// values are a detail's: a flat list, of which a last key without a value is left out.
// What is no list is no values.
type values map[string]string

func (v *values) UnmarshalJSON(data []byte) error {
	var flat []*text
	if json.Unmarshal(data, &flat) != nil {
		return nil
	}
	for i := 0; i+1 < len(flat); i += 2 {
		if k, val := flat[i], flat[i+1]; k != nil && val != nil {
			if *v == nil {
				*v = values{}
			}
			(*v)[string(*k)] = string(*val)
		}
	}
	return nil
}

// Counts are the rows, or for modules the cells, that the details of a result count. Nil
// is not known.
type Counts struct {
	Total, OK, Ignored, Warnings, Failed *int64
}

// countKeys are the keys of values that count. Those of list imports are recorded
// (anaplan-api.md 11.4); for modules, users and versions no source records them, so
// these are tried, and none is required.
var countKeys = []struct {
	of   func(*Counts) **int64
	keys []string
}{
	{func(c *Counts) **int64 { return &c.Total }, []string{"totalRowCount", "totalCount", "totalCellCount"}},
	{func(c *Counts) **int64 { return &c.OK }, []string{"successRowCount", "successCount", "successCellCount"}},
	{func(c *Counts) **int64 { return &c.Ignored }, []string{"ignoredCount", "ignoredRowCount", "ignoredCellCount"}},
	{func(c *Counts) **int64 { return &c.Warnings }, []string{"warningsRowCount", "warningsCount", "warningCount"}},
	{func(c *Counts) **int64 { return &c.Failed }, []string{"failedCount", "failedRowCount", "failureCount"}},
}

// Counts adds up the counts of the result's own details, not of nested results. A module
// import has a detail for each line item.
func (r Result) Counts() Counts {
	var c Counts
	for _, d := range r.Details {
		for _, k := range countKeys {
			for _, key := range k.keys {
				n, ok := count(d.Values[key])
				if !ok {
					continue
				}
				to := k.of(&c)
				if *to == nil {
					*to = new(int64)
				}
				if **to > math.MaxInt64-n {
					n = math.MaxInt64 - **to
				}
				**to += n
				break
			}
		}
	}
	return c
}

// count reads a count such as "1204" or "1,204".
func count(s string) (int64, bool) {
	s = strings.NewReplacer(",", "", " ", "", "\u00a0", "", "\u202f", "").Replace(s)
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= 0
}
