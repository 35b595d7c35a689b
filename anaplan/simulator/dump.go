package simulator

import (
	"net/http"
	"time"
)

// A dump is what was rejected by the latest run of an import by one user (anaplan-api.md 12.4).
type dump struct {
	task *task
	data []byte
	used time.Time
}

// dump finds what the path names; nil when there is none, or it is another user's, an earlier task's or
// too old.
func (s *Simulator) dump(c *call) []byte {
	t := c.task()
	nested, _, ok := c.dumpParams()
	if t == nil || !ok {
		return nil
	}
	r := t.object
	if nested != "" {
		r = nil
		for _, step := range t.object.steps {
			if step.id == nested {
				r = step
			}
		}
	}
	if r == nil {
		return nil
	}
	d := r.dumps[c.user]
	if d == nil || d.task != t {
		return nil
	}
	if s.t.Sub(d.used) >= s.fileLife() {
		delete(r.dumps, c.user)
		return nil
	}
	d.used = s.t
	return d.data
}

func (s *Simulator) getDump(c *call) answer {
	data := s.dump(c)
	switch {
	case data != nil:
		return raw(http.StatusOK, "text/plain", data)
	case s.switches.NoDump204:
		return empty(http.StatusNoContent)
	}
	return s.notFound(c)
}

func (s *Simulator) getDumpChunks(c *call) answer {
	data := s.dump(c)
	if data == nil {
		switch s.switches.NoDump {
		case "400":
			return s.refuse(c, http.StatusBadRequest, "Bad Request")
		case "200":
			return s.chunkPage(c, 0)
		}
		return s.notFound(c)
	}
	return s.chunkPage(c, len(cut(data, s.options.ChunkSize, s.t).chunks))
}

func (s *Simulator) getDumpChunk(c *call) answer {
	data := s.dump(c)
	_, n, ok := c.dumpParams()
	chunk := cut(data, s.options.ChunkSize, s.t).chunks[n]
	if !ok || chunk == nil {
		return s.notFound(c)
	}
	return raw(http.StatusOK, "text/plain", chunk)
}
