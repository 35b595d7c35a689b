package simulator

import (
	"bytes"
	"compress/gzip"
	"strconv"
	"testing"
	"time"
)

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type filesAnswer struct {
	File struct {
		ID, Name              string
		ChunkCount, HeaderRow int
	}
	Files []struct {
		ID, Name   string
		ChunkCount int
	}
	Chunks []struct{ ID, Name string }
}

func TestChunkedUpload(t *testing.T) {
	inBubble(t, Options{}, func(tn *tenant) {
		f := tn.model("Hub") + "/files/113000000012"
		var a filesAnswer
		if status := tn.call("POST", f, `{"chunkCount":2}`, &a); status != 200 || a.File.ID != "113000000012" || a.File.ChunkCount != 2 {
			t.Fatalf("chunk count: %d %+v", status, a)
		}
		if tn.call("GET", f+"/chunks", "", &a); len(a.Chunks) != 2 || a.Chunks[1].ID != "1" {
			t.Errorf("placeholders: %+v", a.Chunks)
		}
		if status := tn.call("GET", f+"/chunks/0", "", nil); status != 404 {
			t.Errorf("a chunk that was not received: %d", status)
		}
		tn.call("PUT", f+"/chunks/1", "world", nil)
		tn.call("PUT", f+"/chunks/0", zipped(t, "hello "), nil, "Content-Type", "application/x-gzip")
		var data []byte
		if tn.call("GET", f, "", &data); string(data) != "hello world" {
			t.Errorf("content %q", data)
		}
		tn.wantNoMisuse()
		for _, row := range []struct {
			method, path, body, kind string
			status                   int
		}{
			{"PUT", f + "/chunks/2", "x", octets, 404},
			{"PUT", f + "/chunks/x", "x", octets, 400},
			{"PUT", f + "/chunks/0", zipped(t, "cut")[:15], "application/x-gzip", 400},
			{"POST", f + "/complete", "", "application/json", 500},
			{"POST", f + "/complete", `{"id":"113000000012"}`, "application/json", 200},
			{"DELETE", f, "", "", 204},
			{"GET", f + "/chunks/0", "", "", 404},
			{"DELETE", f, "", "", 204},
		} {
			if status := tn.call(row.method, row.path, row.body, nil, "Content-Type", row.kind); status != row.status {
				t.Errorf("%s %s: %d, want %d", row.method, row.path, status, row.status)
			}
		}
		if n := len(tn.s.Misuse()); n != 4 {
			t.Errorf("%d misuses: %q", n, tn.s.Misuse())
		}
		a = filesAnswer{}
		tn.call("GET", tn.model("Hub")+"/files", "", &a)
		if a.Files[0].ChunkCount != 2 {
			t.Errorf("the list forgot the chunk count after a delete: %+v", a.Files[0])
		}
	})
}

func TestUploadToNoFileMakesOne(t *testing.T) {
	inBubble(t, Options{}, func(tn *tenant) {
		var a filesAnswer
		tn.call("POST", tn.model("Hub")+"/files/new.csv", `{"chunkCount":1}`, &a)
		if a.File.Name != "new.csv" || a.File.ID == "new.csv" || a.File.HeaderRow != -1 {
			t.Errorf("%+v", a.File)
		}
	})
}

func TestPrivateContentIsPrivateAndExpires(t *testing.T) {
	inBubble(t, Options{TokenLife: 100 * time.Hour}, func(tn *tenant) {
		f := tn.model("Hub") + "/files/" + tn.s.modelNamed("Hub").fileNamed("sales.txt").id
		standard := encode([]byte("Shop;Month;Units\nS1;Jan 26;1\n"), "UTF-16LE")
		content := func() string {
			var data []byte
			if tn.call("GET", f, "", &data); len(data) == 0 {
				t.Fatal("no content")
			}
			return string(data)
		}
		tn.upload("sales.txt", "mine")
		ada := tn.token
		tn.login("bob@example.com")
		if got := content(); got != string(standard) {
			t.Errorf("Bob reads %q", got)
		}
		tn.token = ada
		time.Sleep(48*time.Hour - time.Second)
		if got := content(); got != "mine" {
			t.Errorf("Ada reads %q", got)
		}
		time.Sleep(48 * time.Hour)
		if got := content(); got != string(standard) {
			t.Errorf("after 48 hours Ada reads %q", got)
		}
	})
}

func TestExportIsCutIntoChunks(t *testing.T) {
	inBubble(t, Options{ChunkSize: 10}, func(tn *tenant) {
		tn.finish(tn.start("Hub", "Load Sales", `,"mappingParameters":[{"entityType":"Version","entityName":"Actual"}]`))
		tn.finish(tn.start("Hub", "Sales.csv", ""))
		f := tn.model("Hub") + "/files/" + tn.s.modelNamed("Hub").objects[3].id
		var a filesAnswer
		tn.call("GET", f+"/chunks", "", &a)
		var whole, joined []byte
		for i := range a.Chunks {
			var part []byte
			tn.call("GET", f+"/chunks/"+strconv.Itoa(i), "", &part)
			joined = append(joined, part...)
		}
		tn.call("GET", f, "", &whole)
		const want = "Shops,Time,Versions,Units,Net,Open\nParis,Jan 26,Actual,1,,\n"
		if string(whole) != want || string(joined) != want || len(a.Chunks) != 6 {
			t.Errorf("%d chunks: %q, %q", len(a.Chunks), joined, whole)
		}
	})
}
