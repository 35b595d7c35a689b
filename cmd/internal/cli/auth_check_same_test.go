package cli

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/auth/inventory"
)

// auth check looks at the files that a run would look at, and finds keys as a run does.
func TestAuthCheckFindsWhatARunFinds(t *testing.T) {
	store := storeFile(t, "modern.p12")
	dir := rotationFolder(t)
	kept := []byte(certPEM(0, 3, batchUser, -1, 364))
	for path, data := range map[string][]byte{
		"ending/2026.pem": []byte(certPEM(0, 1, batchUser, -340, 25)), "ending/2026.key": []byte(keyPEM(0)),
		"ending/2027.cert": kept, "ending/2027.pem.bak": kept, "ending/2027.pem~": kept, "ending/.2027.pem": kept, "ending/old/2027.pem": kept,
		"others/2027.cert": kept, "s.p12": store, "several.p12": storeFile(t, "several.p12"), "pw": []byte("changeit"),
	} {
		writeFile(t, filepath.Join(dir, filepath.FromSlash(path)), data)
	}
	for _, tt := range []struct {
		name, connection string
		code             int
		want             string // serial, state and key file
	}{
		{"files of a folder that a run passes over", `certificate = "ending"`, 4, "1 ends soon 2026.key"},
		{"one with its key inside beside another's", "certificate = [\"old.pem\", \"both.pem\"]\nprivate_key = \"old.key\"", 0, "2 ok, 1 replaced old.key"},
		{"a key store beside another's", "certificate = [\"s.p12\", \"old.pem\"]\nprivate_key = \"old.key\"\npassphrase = \"file:pw\"", 77, "1 cannot be used old.key, store cannot be used"}, // two users,
		{"two certificates of one key in its file", `certificate = "twice.pem"`, 0, "3 ok, 1 replaced"},
		{"the same in a list", "certificate = [\"twice.pem\", \"new.pem\"]\nprivate_key = \"new.key\"", 0, "2 ok new.key, 3 ok, 1 replaced"},
		{"two certificates of one key in one file", "certificate = \"pair.pem\"\nprivate_key = \"old.key\"", 0, "3 ok old.key, 1 replaced old.key"},
		{"a user was renamed", "certificate = \"renamed.pem\"\nprivate_key = \"old.key\"", 0, "a ok old.key, 1 replaced old.key"},
		{"a user will be renamed", "certificate = \"soon.pem\"\nprivate_key = \"old.key\"", 4, "1 ends soon old.key, b replaced old.key"},
		{"two users in one file", "certificate = \"all.pem\"\nprivate_key = [\"old.key\", \"lonely.key\"]", 77, "1 cannot be used old.key, 4 cannot be used lonely.key"},
		{"two users in one folder", `certificate = "users"`, 77, "1 cannot be used old.key, 4 cannot be used ada.key"},
		{"two users in one store", "certificate = \"several.p12\"\npassphrase = \"file:pw\"", 77, "store cannot be used, store cannot be used"},
		{"one of them", "certificate = \"several.p12\"\npassphrase = \"file:pw\"\nalias = \"second\"", 0, "store ok"},
		{"an old one of another user, without its key", `certificate = "strangers"`, 4, "1 ends soon old.key, 8 replaced"},
		{"an authority's certificate beside", `certificate = "authority"`, 4, "1 ends soon old.key"},
		{"a key that belongs to none", "certificate = [\"old.pem\", \"new.pem\"]\nprivate_key = [\"old.key\", \"lonely.key\", \"new.key\"]", 0, "2 ok new.key, 1 replaced old.key"},
		{"one certificate of two without a key", "certificate = [\"old.pem\", \"new.pem\"]\nprivate_key = \"old.key\"", 77,
			"2 cannot be used, 1 ends soon old.key"},
		{"keys alone", `certificate = "keys"`, 77, "there is no certificate in keys, only 2 private keys"},
		{"a folder without one", `certificate = "others"`, 77, "the folder others holds no file that ends in .pem, .crt, .cer, .key, .p12, .pfx, .jks"},
		{"a folder of keys without one", "certificate = \"old.pem\"\nprivate_key = \"void\"", 77, "the folder void holds no file that ends in .pem, .crt, .cer, .key, .p12, .pfx, .jks"},
		{"a folder of keys", "certificate = \"bare\"\nprivate_key = \"keys\"", 0, "2 ok b.key, 1 replaced a.key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(dir, "connections.toml")
			writeFile(t, file, []byte("[connection.x]\nregion = \"eu3\"\n"+tt.connection+"\n"))
			var out, told strings.Builder
			p := &Program{In: strings.NewReader(""), Out: &out, Err: &told, Now: func() time.Time { return rotationNow }, Getenv: func(string) (string, bool) { return "", false }}
			code := p.Main([]string{"auth", "check", file, "--output", "json"})
			var inv inventory.Inventory
			if err := json.Unmarshal([]byte(out.String()), &inv); err != nil {
				t.Fatalf("%v: %s", err, told.String())
			}
			var got []string
			for _, c := range inv.Certificates {
				switch {
				case c.Report == nil:
					got = append(got, strings.ReplaceAll(c.Problem, dir+string(filepath.Separator), ""))
				case len(c.Serial) > 2:
					got = append(got, strings.TrimSpace(fmt.Sprint("store ", c.State)))
				default:
					key := strings.TrimPrefix(filepath.Base(c.Places[0].KeyFile), ".")
					got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s", c.Serial, c.State, key)))
				}
			}
			if d := cmp.Diff(tt.want, strings.Join(got, ", ")); d != "" || code != tt.code {
				t.Errorf("code %d\n%s", code, d)
			}
		})
	}
}
