package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

var pages = flag.String("pages", "", "write the page of every story into this folder, to be looked at")

func htmlOf(t *testing.T, s ledger.State) string {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b, reportOf(t, s)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var style = regexp.MustCompile(`(?s)<style>(.*)</style>`)

func TestHTML(t *testing.T) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			got := htmlOf(t, s.tell(t))
			if err := wellFormed(got); err != nil {
				t.Error(err)
			}
			if *pages != "" {
				if err := os.WriteFile(filepath.Join(*pages, s.name+".html"), []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			css := style.FindStringSubmatch(got)[1]
			sum := sha256.Sum256([]byte(css))
			policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
			if got, ok := attribute(got, "meta", "http-equiv", "Content-Security-Policy", "content"); !ok || got != policy {
				t.Errorf("policy %q, want %q", got, policy)
			}
			if s.name == "many" || s.name == "huge" { // large, and alike
				return
			}
			got = strings.ReplaceAll(got, css, "/* page.css */")
			golden(t, s.name+".html", []byte(strings.ReplaceAll(got, regexp.MustCompile(`sha256-[^&]*`).FindString(got), "sha256-…")))
		})
	}
}

// elements of the page; no other may come out of a state.
var elements = strings.Fields(`a article bdi blockquote body br caption code dd defs desc div dl dt h1 h2 h3 h4 head header html li line
	main meta ol p pattern rect section span strong style svg table tbody td text tfoot th thead time title tr ul`)

// wellFormed says what is wrong with a page: it does not nest, it has an element or
// attribute that does not belong to it, or names something outside of itself.
func wellFormed(page string) error {
	d := xml.NewDecoder(strings.NewReader(page))
	ids, targets := map[string]bool{}, map[string]bool{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if !slices.Contains(elements, e.Name.Local) {
			return fmt.Errorf("element <%s>", e.Name.Local)
		}
		for _, a := range e.Attr {
			switch name := a.Name.Local; {
			case strings.HasPrefix(name, "on"), name == "src", name == "style":
				return fmt.Errorf("<%s %s>", e.Name.Local, name)
			case name == "href" && !regexp.MustCompile(`^#step-\d+$`).MatchString(a.Value):
				return fmt.Errorf("<%s href=%q>", e.Name.Local, a.Value)
			case name == "href":
				targets[a.Value[1:]] = true
			case name == "aria-labelledby":
				for _, id := range strings.Fields(a.Value) {
					targets[id] = true
				}
			case name == "id" && ids[a.Value]:
				return fmt.Errorf("id %q twice", a.Value)
			case name == "id":
				ids[a.Value] = true
			}
		}
	}
	for id := range targets {
		if !ids[id] {
			return fmt.Errorf("nothing has the id %q", id)
		}
	}
	return nil
}

// attribute is an attribute of the first element of a name with another attribute.
func attribute(page, element, key, value, want string) (string, bool) {
	d := xml.NewDecoder(strings.NewReader(page))
	for {
		token, err := d.Token()
		if err != nil {
			return "", false
		}
		e, ok := token.(xml.StartElement)
		if !ok || e.Name.Local != element || !slices.ContainsFunc(e.Attr, func(a xml.Attr) bool { return a.Name.Local == key && a.Value == value }) {
			continue
		}
		for _, a := range e.Attr {
			if a.Name.Local == want {
				return a.Value, true
			}
		}
	}
}

// TestHostileTextStaysText: markup in a name, an answer or a row is shown as it is.
func TestHostileTextStaysText(t *testing.T) {
	var words strings.Builder
	d := xml.NewDecoder(strings.NewReader(htmlOf(t, hostile(t))))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok {
			words.Write(text)
		}
	}
	if n := strings.Count(words.String(), `<script>alert(1)</script>"'&lt;`); n < 20 {
		t.Errorf("the hostile text is shown %d times", n)
	}
	for _, r := range "\x1b\x00\u202e" {
		if strings.ContainsRune(words.String(), r) {
			t.Errorf("%U is in the page", r)
		}
	}
}

// TestRejectedRowsOnlyAsAllowed: rows are people's data.
func TestRejectedRowsOnlyAsAllowed(t *testing.T) {
	var text, wire bytes.Buffer
	page := htmlOf(t, accepted(t)) // two rows are allowed
	if !strings.Contains(page, canary) || !strings.Contains(page, "Grace Hopper") {
		t.Error("rows that may be shown are not in the page")
	}
	if strings.Contains(page, "Third-Canary") {
		t.Error("a third row is in the page")
	}
	r := reportOf(t, accepted(t))
	if err := errors.Join(Text(&text, r, TextOptions{}), JSON(&wire, r)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String()+wire.String(), "Canary") || strings.Contains(text.String()+wire.String(), "Grace") {
		t.Error("a row is in the text or the JSON")
	}
	New(partial(t), Options{Rejected: func(path string, most int) (Rejected, error) { // none is allowed
		t.Errorf("%s is read for %d rows", path, most)
		return Rejected{}, nil
	}})
}

func TestLongCellsAreCut(t *testing.T) {
	book := strings.Repeat("ü", 10_000)
	r := New(accepted(t), Options{Rejected: func(string, int) (Rejected, error) {
		return Rejected{Columns: []string{book}, Rows: []Row{{Cells: []string{book}, Errors: []string{book}}}}, nil
	}})
	row := r.Steps[0].Dumps[0].First.Rows[0]
	if want := strings.Repeat("ü", 200) + "…"; row.Cells[0] != want || row.Errors[0] != want {
		t.Errorf("%d and %d bytes of a cell", len(row.Cells[0]), len(row.Errors[0]))
	}
}

func TestUnreadableDumpIsSaid(t *testing.T) {
	r := New(accepted(t), Options{Rejected: func(string, int) (Rejected, error) { return Rejected{}, os.ErrNotExist }})
	var b bytes.Buffer
	if err := HTML(&b, r); err != nil || !strings.Contains(b.String(), "Its rows cannot be shown: file does not exist") {
		t.Errorf("the page does not say so (%v)", err)
	}
}

// TestColoursHaveContrast holds the colours of the page to WCAG 2.2: 4.5 for text (AA,
// 1.4.3), 3 for the bars (1.4.11), in light and in dark.
func TestColoursHaveContrast(t *testing.T) {
	css, err := page.ReadFile("page.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, found := strings.Cut(string(css), "prefers-color-scheme: dark")
	if !found {
		t.Fatal("no dark colours")
	}
	dark, _, _ = strings.Cut(dark, "* { box-sizing")
	for name, part := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]+);`).FindAllStringSubmatch(part, -1) {
			colours[m[1]] = m[2]
		}
		check := func(least float64, a, b string) {
			if c := contrast(t, colours[a], colours[b]); c < least {
				t.Errorf("%s: %s on %s has a contrast of %.2f, less than %g", name, a, b, c, least)
			}
		}
		for _, ground := range []string{"card", "ground"} {
			for _, ink := range []string{"ink", "soft", "link"} {
				check(4.5, ink, ground)
			}
		}
		for _, tone := range []string{"ok", "warn", "bad", "idle"} {
			check(4.5, tone, tone+"-ground")
			check(3, tone, "card")
		}
		check(4.5, "ink", "idle-ground")
		check(4.5, "warn", "card")
		for _, k := range []string{"uploading", "waiting", "queued", "running", "fetching", "downloading", "preparing", "fill", "inner"} {
			check(3, k, "card")
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	hex := strings.TrimPrefix(colour, "#")
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		if len(hex) != 6 {
			t.Fatalf("no colour: %q", colour)
		}
		v, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(v) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
