package simulator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// run has the effect of one object at the end of its time.
func (s *Simulator) run(t *task, r *runnable) *result {
	switch r.kind {
	case "import":
		return s.runImport(t, r)
	case "export":
		return s.runExport(t, r)
	}
	return s.runAction(t, r)
}

// cannot is the result of what could not run at all: no dump, one detail that says why (11.5).
func cannot(kind, format string, args ...any) *result {
	return &result{details: []detail{{kind: kind, text: fmt.Sprintf(format, args...)}}}
}

// An importing is one import under way: it gathers counts and the rows of the dump.
type importing struct {
	task   *task
	object *runnable
	source table
	column map[string]int    // target -> column of the source
	fixed  map[string]string // target -> the same value for all rows
	dump   []rejected
	// lenient: rejected rows leave the import successful (Switches.RejectsSuccessful).
	lenient bool
}

// A rejected row of the dump: status E was not loaded, W was loaded in part (12.3).
type rejected struct {
	status string
	row    row
	errors []string
}

func (s *Simulator) runImport(t *task, r *runnable) *result {
	if r.imports.Fails != "" {
		return cannot(r.imports.Fails, "The import could not run.")
	}
	im := &importing{task: t, object: r, column: map[string]int{}, fixed: map[string]string{}, lenient: s.switches.RejectsSuccessful}
	if failure := s.readSource(im); failure != nil {
		return failure
	}
	if failure := im.bind(); failure != nil {
		return failure
	}
	var done *result
	switch r.importType() {
	case "HIERARCHY_DATA":
		done = im.hierarchy(t.model.list(r.imports.List))
	case "MODULE_DATA":
		done = im.cells(t.model.module(r.imports.Module))
	default:
		t.model.effects = append(t.model.effects, r.name)
		rows := strconv.Itoa(len(im.source.rows))
		kind := map[string]string{"USERS": "usersRowsProcessed", "VERSIONS": "versionsRowsProcessed"}[r.importType()]
		done = &result{successful: true, details: []detail{{
			kind: or(kind, "taskElementSucceeded"), text: rows + " rows successful",
			values: []string{"successRowCount", rows, "totalRowCount", rows},
		}}}
	}
	done.ran = true
	delete(r.dumps, t.user)
	if len(im.dump) > 0 {
		done.dump = true
		r.dumps[t.user] = &dump{task: t, data: im.dumpText(), used: s.t}
		t.dumped = append(t.dumped, dataOf(r.name, "", r.dumps[t.user].data))
	}
	return done
}

// readSource reads what the import reads: the private content as it is while the import runs, else the
// default, silently (anaplan-api.md 9.1); or lists and modules of another model.
func (s *Simulator) readSource(im *importing) *result {
	r, t := im.object, im.task
	if r.file == nil {
		return s.readModel(im)
	}
	data := r.file.fallback
	defer func() { t.read = append(t.read, dataOf(r.name, r.file.name, data)) }()
	switch {
	case t.source != nil && !t.source.complete() && !s.switches.IncompleteImportable:
		return cannot("importFailedGeneralError", "The upload of %s was never completed.", r.file.name)
	case t.source != nil:
		data = t.before
		if now := r.file.private[t.user]; now != nil && (now != t.source || now.changes != t.changes) {
			// An upload during the import: the first half was read before it, the rest after it (8.3).
			later := now.bytes()
			data = append(append([]byte(nil), data[:len(data)/2]...), later[min(len(data)/2, len(later)):]...)
		}
		if len(data) == 0 {
			return cannot("uploadedFileNoLongerAvailable", "The uploaded file is empty. Upload it again.")
		}
	case !r.file.hasFallback:
		return cannot("uploadedFileNoLongerAvailable", "The uploaded file has expired. Upload it again.")
	}
	var err error
	im.source, err = readTable(data, r.file.encoding, r.file.separator, r.file.delimiter, r.file.header, r.file.first)
	if err != nil {
		return cannot("importFailedGeneralError", "The file cannot be read: %v", err)
	}
	return nil
}

func (s *Simulator) readModel(im *importing) *result {
	source, spec := im.object.source, im.object.imports
	switch {
	case source == nil: // an import of another type, without a source
		return nil
	case s.state(source) == "ARCHIVED":
		return cannot("sourceModelArchived", "The source model %s is archived.", source.name)
	case s.role(im.task.user, source) == "none":
		return cannot("failedToLocateModel", "The source model was not found.")
	}
	rows, _ := source.exported(&Export{List: spec.SourceList, Module: spec.SourceModule})
	im.source.header = rows[0]
	for i, values := range rows[1:] {
		if selected(rows[0], values, spec.Where) {
			im.source.rows = append(im.source.rows, row{line: i + 2, values: values})
		}
	}
	return nil
}

func selected(header, values []string, where map[string][]string) bool {
	for i, name := range header {
		if allowed, ok := where[name]; ok && !slices.Contains(allowed, values[i]) {
			return false
		}
	}
	return true
}

// bind finds for each target the column, the fixed value or the answer to the prompt.
func (im *importing) bind() *result {
	for target, from := range im.object.imports.Map {
		switch {
		case strings.HasPrefix(from, "="):
			im.fixed[target] = from[1:]
		case strings.HasPrefix(from, "?"):
			name, ok := im.task.prompted(im.object, from[1:])
			if !ok {
				return cannot("missingFields", "Nothing was chosen for %s.", from[1:])
			}
			if mod := im.task.model.module(im.object.imports.Module); mod != nil && mod.lineItem(target) == nil {
				if _, found := im.task.model.member(target, name); !found {
					return cannot("failedToLocateEntity", "%s %q was not found.", from[1:], name)
				}
			}
			im.fixed[target] = name
		default:
			at := -1
			for i, name := range im.source.header {
				if strings.TrimSpace(name) == from {
					at = i
				}
			}
			if at < 0 {
				return cannot("missingFields", "The source has no column %q.", from)
			}
			im.column[target] = at
		}
	}
	return nil
}

// value of a target in a row, and whether the import maps it at all.
func (im *importing) value(target string, r row) (string, bool) {
	if v, ok := im.fixed[target]; ok {
		return v, true
	}
	at, ok := im.column[target]
	if !ok || at >= len(r.values) {
		return "", ok
	}
	return strings.TrimSpace(r.values[at]), true
}

func (im *importing) reject(status string, r row, errors ...string) {
	im.dump = append(im.dump, rejected{status, r, errors})
}

func (im *importing) dumpText() []byte {
	width := len(im.source.header)
	for _, r := range im.source.rows {
		width = max(width, len(r.values))
	}
	header := []string{"_Status_"}
	for i := range width {
		if i < len(im.source.header) && im.source.header[i] != "" {
			header = append(header, im.source.header[i])
		} else {
			header = append(header, fmt.Sprintf("Column %d", i+1))
		}
	}
	header = append(header, "_Line_")
	most := 0
	for _, d := range im.dump {
		most = max(most, len(d.errors))
	}
	for i := range most {
		header = append(header, fmt.Sprintf("_Error_%d_", i+1))
	}
	rows := [][]string{header}
	for _, d := range im.dump {
		values := pad(append([]string{d.status}, d.row.values...), width+1)
		values = append(values, strconv.Itoa(d.row.line))
		rows = append(rows, pad(append(values, d.errors...), len(header)))
	}
	return write(rows, ",", true)
}

func pad(values []string, width int) []string {
	for len(values) < width {
		values = append(values, "")
	}
	return values
}

// parse brings a value into the form of its format; the error is the text of the dump.
func (m *model) parse(value, format, list string) (string, string) {
	if value == "" {
		return "", ""
	}
	switch format {
	case "number":
		n, err := strconv.ParseFloat(strings.ReplaceAll(value, " ", ""), 64)
		if err != nil {
			return "", "Invalid number: " + value
		}
		return strconv.FormatFloat(n, 'f', -1, 64), ""
	case "boolean":
		switch strings.ToLower(value) {
		case "1", "true", "yes":
			return "true", ""
		case "0", "false", "no":
			return "false", ""
		}
		return "", "Invalid boolean: " + value
	case "date":
		for _, layout := range []string{"2006-01-02", "02/01/2006", "1/2/06"} {
			if d, err := time.Parse(layout, value); err == nil {
				return d.Format("2006-01-02"), ""
			}
		}
		return "", "Invalid date: " + value
	case "list":
		if name, ok := m.member(list, value); ok {
			return name, ""
		}
		return "", "Item not located in " + list + " list"
	}
	return value, ""
}
