package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
)

const user, company = "bench@example.com", `
[[user]]
email = "bench@example.com"
password = "bench"
access = { "*" = "admin" }
[[workspace]]
name = "Finance"
[[workspace.model]]
name = "Hub"
[[workspace.model.file]]
id = "113000000001"
name = "sales.csv"
`

// tenant is a simulator on loopback.
type tenant struct {
	sim    *simulator.Simulator
	server *http.Server
	url    string
	token  string
	file   string // its URL
}

func open(r row) (*tenant, error) {
	c, err := simulator.Load(strings.NewReader(company))
	if err != nil {
		return nil, err
	}
	o := simulator.Options{Wire: r.wire, Switches: &simulator.Switches{NoRateLimit: true}}
	if !r.keep {
		o.Wire.Counting, o.Wire.Holds = r.verb == "upload", r.size
	}
	t := &tenant{sim: simulator.New(c, o)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t.server, t.url = &http.Server{Handler: t.sim}, "http://"+listener.Addr().String()
	go func() { _ = t.server.Serve(listener) }()
	req, _ := http.NewRequest("POST", t.url+"/token/authenticate", nil)
	req.SetBasicAuth(user, "bench")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var login struct{ TokenInfo struct{ TokenValue string } }
	if err := json.NewDecoder(resp.Body).Decode(&login); err != nil {
		return nil, err
	}
	state, _ := t.sim.Model("Hub")
	t.token, t.file = login.TokenInfo.TokenValue, fmt.Sprintf("%s/2/0/models/%s/files/113000000001", t.url, state.ID)
	if r.keep && r.verb == "download" {
		return t, t.put(r)
	}
	return t, nil
}

// put fills the server file, for a download that is compared.
func (t *tenant) put(r row) error {
	f, err := os.Open(path(r.size))
	if err != nil {
		return err
	}
	defer f.Close()
	req, _ := http.NewRequest("PUT", t.file, f)
	req.Header.Set("Authorization", "AnaplanAuthToken "+t.token)
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	return nil
}

func (t *tenant) close() {
	_ = t.sim.Close()
	_ = t.server.Close()
}

// outcome is what a program says of itself.
type outcome struct {
	Seconds float64
	Wire    int64 `json:"wire_bytes"`
	Chunks  int
	peak    float64 // MB
	cpu     float64 // seconds, of the whole process
}

// used is what a process took of the machine.
func (o *outcome) used(p *os.ProcessState) {
	o.peak = float64(p.SysUsage().(*syscall.Rusage).Maxrss) * 1024 / mb
	o.cpu = (p.UserTime() + p.SystemTime()).Seconds()
}

// took runs a program that says on a stream how long it took.
func took(cmd *exec.Cmd, stream *bytes.Buffer) (o outcome, err error) {
	var errors bytes.Buffer
	if cmd.Stderr == nil {
		cmd.Stderr = &errors
	}
	if err := cmd.Run(); err != nil {
		return o, fmt.Errorf("%w: %s%s", err, errors.Bytes(), stream.Bytes())
	}
	o.used(cmd.ProcessState)
	lines := strings.Split(strings.TrimSpace(stream.String()), "\n")
	return o, json.Unmarshal([]byte(lines[len(lines)-1]), &o)
}

// runner moves by the command, as a user would. What it says to have taken is without the
// login and the looking up of names, as of the others.
func (t *tenant) runner(ctx context.Context, r row) (outcome, error) {
	args := []string{r.verb, "sales.csv", "--parallel", strconv.Itoa(r.parallel), "--api-url", t.url + "/2/0", "--auth-url", t.url,
		"--user", user, "--password", "env:BENCH", "--workspace", "Finance", "--model", "Hub", "--quiet"}
	var said bytes.Buffer
	var cmd *exec.Cmd
	switch {
	case r.verb == "upload":
		cmd = exec.CommandContext(ctx, program("anaplan-runner"), append(args, "--source", path(r.size), "--gzip", r.gzip, "--output", "json")...)
		cmd.Stdout = &said
	case r.keep:
		cmd = exec.CommandContext(ctx, program("anaplan-runner"), append(args, "--target", path(r.size)+".back", "--output", "json")...)
		cmd.Stdout = &said
	default:
		result := filepath.Join(*dir, "result.json")
		cmd = exec.CommandContext(ctx, program("anaplan-runner"), append(args, "--target", "-", "--result-file", result)...)
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			return outcome{}, err
		}
		defer null.Close()
		cmd.Stdout = null
		defer os.Remove(result)
		cmd.Env = t.env()
		if err := cmd.Run(); err != nil {
			return outcome{}, err
		}
		var o outcome
		o.used(cmd.ProcessState)
		data, err := os.ReadFile(result)
		if err != nil {
			return o, err
		}
		return o, json.Unmarshal(data, &o)
	}
	cmd.Env = t.env()
	return took(cmd, &said)
}

// env is that of the runner. A simulator has no budget of requests that it must keep to.
func (t *tenant) env() []string {
	return append(os.Environ(), "BENCH=bench", "ANAPLAN_SIMULATOR_SPEED=1000", "HOME="+*dir)
}

// reference moves the same chunks.
func (t *tenant) reference(ctx context.Context, r row, chunks int) (outcome, error) {
	args := []string{"-url", t.file, "-token", t.token, "-parallel", strconv.Itoa(r.parallel)}
	var said bytes.Buffer
	if r.verb == "download" {
		cmd := exec.CommandContext(ctx, program("download"), args...)
		cmd.Stderr = &said
		return took(cmd, &said)
	}
	level := map[string]string{"auto": "2", "off": "0"}[r.gzip]
	if level == "" {
		level = r.gzip
	}
	chunk := (r.size + int64(chunks) - 1) / int64(chunks)
	cmd := exec.CommandContext(ctx, program("upload"), append(args, "-source", path(r.size), "-chunk", strconv.FormatInt(chunk, 10), "-gzip", level)...)
	cmd.Stdout = &said
	return took(cmd, &said)
}

// others is how long pigz and curl take, in one request.
func (t *tenant) others(ctx context.Context, r row) (float64, error) {
	curl := `curl -sSf -H "Authorization: AnaplanAuthToken ` + t.token + `" -H "Content-Type: $TYPE" `
	kind, script := "application/octet-stream", curl+`-o /dev/null "$FILE"`
	if r.verb == "upload" {
		script = curl + `-T "$SOURCE" "$FILE/chunks/0"`
		if r.gzip != "off" {
			kind, script = "application/x-gzip", `pigz -1 -c "$SOURCE" | `+curl+`-T - "$FILE/chunks/0"`
		}
		req, _ := http.NewRequestWithContext(ctx, "POST", t.file, strings.NewReader(`{"chunkCount":1}`))
		req.Header.Set("Authorization", "AnaplanAuthToken "+t.token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		resp.Body.Close()
	}
	cmd := exec.CommandContext(ctx, "bash", "-o", "pipefail", "-c", script)
	cmd.Env = append(os.Environ(), "FILE="+t.file, "SOURCE="+path(r.size), "TYPE="+kind)
	began := time.Now()
	_, err := output(cmd)
	return time.Since(began).Seconds(), err
}

// counted checks that what came is what was said to be sent: of plain chunks the sums too.
func (t *tenant) counted(r row, wire int64) error {
	if r.verb == "download" {
		if wire != r.size {
			return fmt.Errorf("%d bytes came", wire)
		}
		return nil
	}
	got := t.sim.Counted(user)["sales.csv"]
	if got.Bytes() != wire {
		return fmt.Errorf("the simulator counted %d bytes, and %d were sent", got.Bytes(), wire)
	}
	if r.gzip != "off" || r.size > 100*mb {
		return nil
	}
	f, err := os.Open(path(r.size))
	if err != nil {
		return err
	}
	defer f.Close()
	for n := range len(got) {
		h := crc32.NewIEEE()
		if _, err := io.CopyN(h, f, got[n].Bytes); err != nil || h.Sum32() != got[n].CRC32 {
			return fmt.Errorf("chunk %d of %d is not what stands in the file: %w", n, len(got), err)
		}
	}
	return nil
}

// compare compares what was moved with the file.
func (t *tenant) compare(r row) error {
	want, err := os.ReadFile(path(r.size))
	if err != nil {
		return err
	}
	var got []byte
	if r.verb == "upload" {
		state, _ := t.sim.Model("Hub")
		got = state.Files["sales.csv"][user]
	} else if got, err = os.ReadFile(path(r.size) + ".back"); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes are other bytes", len(got))
	}
	for _, m := range t.sim.Misuse() {
		if !strings.Contains(m, "logged in again") { // as this program did
			return fmt.Errorf("misuse: %s", m)
		}
	}
	return nil
}
