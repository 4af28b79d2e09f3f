package bayeux

import "sync"

// tally counts what each key has at once. Its size is bounded by what it counts.
type tally struct {
	limit int // Unlimited for no counting

	mu    sync.Mutex
	count map[string]int
}

// take counts one more, unless the key has as many as it may. The empty key is
// not limited.
func (t *tally) take(key string) bool {
	if key == "" || t.limit == Unlimited {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count[key] >= t.limit {
		return false
	}
	if t.count == nil {
		t.count = make(map[string]int)
	}
	t.count[key]++
	return true
}

// give undoes a take that succeeded.
func (t *tally) give(key string) {
	if key == "" || t.limit == Unlimited {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count[key]--; t.count[key] <= 0 {
		delete(t.count, key)
	}
}
