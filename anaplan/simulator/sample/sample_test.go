package sample_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
)

type client struct {
	t     *testing.T
	hc    *http.Client
	token string
}

func (c *client) call(method, url string, body []byte, out any, header ...string) int {
	c.t.Helper()
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "AnaplanAuthToken "+c.token)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.hc.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if out != nil {
		if err := json.Unmarshal(data, out); err != nil {
			c.t.Fatalf("%s %s: %d %s", method, url, resp.StatusCode, data)
		}
	}
	return resp.StatusCode
}

func (c *client) login(certPEM, keyPEM []byte, der bool) int {
	c.t.Helper()
	block, _ := pem.Decode(keyPEM)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		c.t.Fatal(err)
	}
	message := make([]byte, 100)
	binary.BigEndian.PutUint64(message, uint64(time.Now().Unix()))
	if _, err := rand.Read(message[8:]); err != nil {
		c.t.Fatal(err)
	}
	digest := sha512.Sum512(message)
	signature, err := rsa.SignPKCS1v15(rand.Reader, key.(*rsa.PrivateKey), crypto.SHA512, digest[:])
	if err != nil {
		c.t.Fatal(err)
	}
	body, _ := json.Marshal(map[string]string{
		"encodedDataFormat": "v2", "encodedData": base64.StdEncoding.EncodeToString(message),
		"encodedSignedData": base64.StdEncoding.EncodeToString(signature),
	})
	cert := certPEM
	if der {
		block, _ := pem.Decode(certPEM)
		cert = block.Bytes
	}
	var out struct{ TokenInfo struct{ TokenValue string } }
	status := c.call("POST", "https://auth.anaplan.com/token/authenticate", body, &out,
		"Authorization", "CACertificate "+base64.StdEncoding.EncodeToString(cert))
	c.token = out.TokenInfo.TokenValue
	return status
}

// ids by name of one list call.
func (c *client) ids(url, key string) map[string]string {
	c.t.Helper()
	var out map[string]json.RawMessage
	if status := c.call("GET", url, nil, &out); status != 200 {
		c.t.Fatalf("GET %s: %d", url, status)
	}
	var rows []struct{ ID, Name string }
	if raw := out[key]; raw != nil {
		if err := json.Unmarshal(raw, &rows); err != nil {
			c.t.Fatal(err)
		}
	}
	ids := map[string]string{}
	for _, r := range rows {
		ids[r.Name] = r.ID
	}
	return ids
}

type result struct {
	Successful, FailureDumpAvailable bool
	NestedResults                    []result
}

func (c *client) run(url, prompts string) result {
	c.t.Helper()
	var started, polled struct {
		Task struct {
			TaskID string
			Result *result
		}
	}
	c.call("POST", url+"/tasks", []byte(`{"localeName":"en_US"`+prompts+`}`), &started)
	for polled.Task.Result == nil {
		time.Sleep(5 * time.Second) // of the bubble
		c.call("GET", url+"/tasks/"+started.Task.TaskID, nil, &polled)
	}
	return *polled.Task.Result
}

func TestSampleNight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		certPEM, keyPEM, authority, err := sample.NewTrustedIdentity(sample.Email, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AddCert(authority)
		s := simulator.New(sample.Company(), simulator.Options{Trust: pool})
		defer s.Close()
		c := &client{t: t, hc: &http.Client{Transport: s.Transport()}}
		if status := c.login(certPEM, keyPEM, false); status != 201 {
			t.Fatalf("login: %d", status)
		}
		const api = "https://api.anaplan.com/2/0"
		models := c.ids(api+"/models", "models")
		hub := api + "/models/" + models["Sales Hub"]
		upload := func(model, file, from string) {
			data, err := fs.ReadFile(sample.Data(), from)
			if err != nil {
				t.Fatal(err)
			}
			if status := c.call("PUT", model+"/files/"+c.ids(model+"/files", "files")[file], data, nil); status != 204 {
				t.Fatalf("upload %s: %d", from, status)
			}
		}
		actual := `,"mappingParameters":[{"entityType":"Version","entityName":"Actual"}]`
		for _, row := range []struct {
			model, file, from, kind, name, prompts string
			want                                   result
		}{
			{"Sales Hub", "products.csv", "products.csv", "imports", "Load Products", "", result{true, false, nil}},
			{"Sales Hub", "stores.csv", "stores.csv", "imports", "Load Stores", "", result{false, true, nil}},
			{"Sales Hub", "sales.csv", "sales.csv", "imports", "Load Sales", actual, result{false, true, nil}},
			{"Sales Hub", "budget.txt", "budget.txt", "imports", "Load Budget", "", result{true, false, nil}},
			{"Sales Hub", "expired.csv", "expired.csv", "imports", "Flag expired rows", "", result{true, false, nil}},
			{"Sales Hub", "rates.csv", "rates.csv", "processes", "Nightly Forecast", actual, result{false, true, []result{{false, true, nil}, {true, false, nil}, {true, false, nil}}}},
			{"FP&A EMEA", "targets.csv", "targets_emea.csv", "processes", "Pull from Hub", "", result{true, false, []result{{true, false, nil}, {true, false, nil}}}},
			{"FP&A AMER", "targets.csv", "targets_amer.csv", "processes", "Pull from Hub", "", result{true, false, []result{{true, false, nil}, {true, false, nil}}}},
			{"Sales Hub", "", "", "exports", "Forecast Output", "", result{true, false, nil}},
			{"Sales Hub", "", "", "actions", "Delete expired rows", "", result{true, false, nil}},
			{"Sales Hub", "", "", "actions", "Close banner", "", result{true, false, nil}},
			{"Headcount", "employees.csv", "employees.csv", "imports", "Load Employees", "", result{false, true, nil}},
		} {
			model := api + "/models/" + models[row.model]
			if row.file != "" {
				upload(model, row.file, row.from)
			}
			got := c.run(model+"/"+row.kind+"/"+c.ids(model+"/"+row.kind, row.kind)[row.name], row.prompts)
			wantJSON, _ := json.Marshal(row.want)
			gotJSON, _ := json.Marshal(got)
			if !bytes.Equal(wantJSON, gotJSON) {
				t.Errorf("%s: %s, want %s", row.name, gotJSON, wantJSON)
			}
		}
		state, _ := s.Model("Sales Hub")
		if n := len(state.Lists["Transactions"]); n < 100 || n >= 240 {
			t.Errorf("%d transactions left", n)
		}
		for _, item := range state.Lists["Stores"] {
			if item.Code == "S103" && item.Name != "Orléans" {
				t.Errorf("ISO-8859-1 was read as %q", item.Name)
			}
		}
		var csv []byte
		req, _ := http.NewRequest("GET", hub+"/files/"+c.ids(hub+"/exports", "exports")["Forecast Output"], nil)
		req.Header.Set("Authorization", "Bearer "+c.token)
		if resp, err := c.hc.Do(req); err != nil {
			t.Error(err)
		} else {
			csv, _ = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if lines := strings.Count(string(csv), "\n"); lines < 2000 || !strings.HasPrefix(string(csv), "Products,Countries,Time,Forecast units,Forecast revenue\n") {
			t.Errorf("export of %d lines: %.80s", lines, csv)
		}
		for _, m := range s.Misuse() {
			t.Errorf("misuse: %s", m)
		}
	})
}

func TestIdentityMeetsEveryRequirement(t *testing.T) {
	certPEM, keyPEM, authority, err := sample.NewTrustedIdentity("x@example.com", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	s := simulator.New(sample.Company(), simulator.Options{Trust: pool})
	defer s.Close()
	c := &client{t: t, hc: &http.Client{Transport: s.Transport()}}
	if status := c.login(certPEM, keyPEM, true); status != 401 {
		t.Errorf("a certificate of nobody's logs in: %d", status)
	}
}
