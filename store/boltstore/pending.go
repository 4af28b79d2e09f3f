package boltstore

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/webconferencing/webconferencing"
)

// A commit does not touch the places that its calls and values have in the
// file, nor their indexes: that would force a page to disk for each of them.
// It appends their new states as rows to a bucket of their own, where the rows
// of all who commit together share pages. Later, when many have gathered, they
// are put in their places, see folding. Until then readers find them in
// memory, in the generation that the row belongs to.
//
// There are at most two generations: the active one takes what is committed,
// the frozen one does not change any more and is being folded. Both can be
// made again from their rows.

// How large a generation grows before it is frozen. They bound the memory and
// the time that opening the file takes after a crash.
const (
	mostPendingRows  = 8192
	mostPendingBytes = 8 << 20
)

// generation has what readers need of the rows of one bucket.
type generation struct {
	number uint64 // names the bucket
	rows   uint64 // in the bucket, those included that were overtaken since
	bytes  int    // of them
	calls  map[webconferencing.CallID]pendingCall
	values map[string]pendingValue
	keys   names // of values
	// byKey are the calls that carry an index key or carried it before.
	byKey map[string][]webconferencing.CallID
	// topics are the journal batches, committed with the rows, that are not
	// in the topic index; last is the newest of them.
	topics map[webconferencing.Topic][]webconferencing.Position
	last   webconferencing.Position
}

// pendingCall is the latest state of a call within a generation.
type pendingCall struct {
	*entry        // nil if the call was removed
	record []byte // nil if row has to be looked up for it
	row    uint64
	err    error // the row is damaged
}

// pendingValue is the latest state of a value within a generation.
type pendingValue struct {
	revision uint64
	expires  time.Time
	record   []byte // nil if the value was removed
	err      error  // the row is damaged
}

func newGeneration(number uint64) *generation {
	return &generation{
		number: number,
		calls:  make(map[webconferencing.CallID]pendingCall),
		values: make(map[string]pendingValue),
		byKey:  make(map[string][]webconferencing.CallID),
		topics: make(map[webconferencing.Topic][]webconferencing.Position),
	}
}

// fullness is 1 for a generation that has to be frozen.
func (p *pending) fullness(rows uint64, bytes int) float64 {
	return max(float64(rows)/float64(p.mostRows), float64(bytes)/mostPendingBytes)
}

// setCall replaces the state of a call.
func (g *generation) setCall(id webconferencing.CallID, c pendingCall) {
	var was []string
	if old, ok := g.calls[id]; ok && old.entry != nil {
		was = old.keys
	}
	g.calls[id] = c
	if c.entry == nil {
		return
	}
	for _, k := range c.keys {
		if _, had := slices.BinarySearch(was, k); !had {
			g.byKey[k] = append(g.byKey[k], id)
		}
	}
}

// setValue replaces the state of a value.
func (g *generation) setValue(key string, v pendingValue) {
	if _, known := g.values[key]; !known {
		g.keys.add(key)
	}
	g.values[key] = v
}

// addBatch notes the topics of a journal batch, newer than all before.
func (g *generation) addBatch(topics []webconferencing.Topic, last webconferencing.Position) {
	for _, topic := range topics {
		g.topics[topic] = append(g.topics[topic], last)
	}
	g.last = last
}

// add takes over what a transaction wrote behind the generation's rows.
func (g *generation) add(d *generation) {
	for id, c := range d.calls {
		if c.entry != nil && c.call != nil {
			c.record = nil // the cache has the call, and the row the record
		}
		g.setCall(id, c)
	}
	for key, v := range d.values {
		g.setValue(key, v)
	}
	g.rows += d.rows
	g.bytes += d.bytes
}

// pending is everything that is not in its place yet. Only whoever holds
// Store.writing changes it, with mu held; readers hold mu for reading.
type pending struct {
	mu     sync.RWMutex
	active *generation
	frozen *generation // may be nil
	fold   *folding    // of frozen

	mostRows int // mostPendingRows but in tests
}

func newPending(number uint64) *pending {
	return &pending{active: newGeneration(number), mostRows: mostPendingRows}
}

// pinned are the generations at one moment. What it finds may be newer.
type pinned struct {
	p              *pending
	active, frozen *generation
}

// pinLocked returns the present generations; the caller holds p.mu.
func (p *pending) pinLocked() pinned { return pinned{p, p.active, p.frozen} }

// callLocked returns the state of a call, if it is pending; p.mu is held.
func (v pinned) callLocked(id webconferencing.CallID) (c pendingCall, ok bool) {
	if c, ok = v.active.calls[id]; !ok && v.frozen != nil {
		c, ok = v.frozen.calls[id]
	}
	return c, ok
}

func (v pinned) call(id webconferencing.CallID) (pendingCall, bool) {
	v.p.mu.RLock()
	defer v.p.mu.RUnlock()
	return v.callLocked(id)
}

// valueLocked returns the state of a value, if it is pending; p.mu is held.
func (v pinned) valueLocked(key string) (c pendingValue, ok bool) {
	if c, ok = v.active.values[key]; !ok && v.frozen != nil {
		c, ok = v.frozen.values[key]
	}
	return c, ok
}

func (v pinned) value(key string) (pendingValue, bool) {
	v.p.mu.RLock()
	defer v.p.mu.RUnlock()
	return v.valueLocked(key)
}

// call and value return what is pending at this moment.
func (p *pending) call(id webconferencing.CallID) (pendingCall, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.pinLocked().callLocked(id)
}

func (p *pending) value(key string) (pendingValue, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.pinLocked().valueLocked(key)
}

// callsLocked returns the ids after the given one, sorted, of the pending
// calls that carry a key or did so before, or of all, removed ones too, if key
// is "".
func (v pinned) callsLocked(key, after string) []string {
	var ids []string
	for _, g := range []*generation{v.active, v.frozen} {
		if g == nil {
			continue
		}
		add := func(id webconferencing.CallID) {
			if _, newer := v.active.calls[id]; string(id) > after && (g == v.active || !newer) {
				ids = append(ids, string(id))
			}
		}
		if key == "" {
			for id := range g.calls {
				add(id)
			}
			continue
		}
		for _, id := range g.byKey[key] {
			add(id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// valuesLocked returns the keys of the pending values that begin with a prefix
// and come after the given one, sorted, removed ones too.
func (v pinned) valuesLocked(prefix, after string) []string {
	var keys []string
	for _, g := range []*generation{v.active, v.frozen} {
		if g == nil {
			continue
		}
		g.keys.find(prefix, after, func(k string) {
			if _, newer := v.active.values[k]; g == v.active || !newer {
				keys = append(keys, k)
			}
		})
	}
	slices.Sort(keys)
	return keys
}

// dueCall is a call with its deadline.
type dueCall struct {
	at time.Time
	id webconferencing.CallID
}

func (d dueCall) before(o dueCall) bool {
	if c := d.at.Compare(o.at); c != 0 {
		return c < 0
	}
	return d.id < o.id
}

// dueLocked returns the pending calls whose deadline is at or before until,
// earliest first.
func (v pinned) dueLocked(until time.Time) []dueCall {
	var due []dueCall
	for _, g := range []*generation{v.active, v.frozen} {
		if g == nil {
			continue
		}
		for id, c := range g.calls {
			if c.entry == nil || c.deadline.IsZero() || c.deadline.After(until) {
				continue
			}
			if _, newer := v.active.calls[id]; g == v.active || !newer {
				due = append(due, dueCall{c.deadline, id})
			}
		}
	}
	slices.SortFunc(due, func(a, b dueCall) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	return due
}

// batchesLocked returns the journal batches of a topic after a position that are
// not in the index, in order, and no more than hold limit events: of the first
// one the topic's events may all come before the position.
func (v pinned) batchesLocked(topic webconferencing.Topic, after webconferencing.Position, limit int) []webconferencing.Position {
	limit = min(max(limit, 0), math.MaxInt-1) + 1
	var out []webconferencing.Position
	for _, g := range []*generation{v.frozen, v.active} {
		if g == nil {
			continue
		}
		at := g.topics[topic]
		i, _ := slices.BinarySearch(at, after+1)
		out = append(out, at[i:min(len(at), i+limit-len(out))]...)
	}
	return out
}

// decoded returns the call's entry with the call, nil if it was removed.
func (c pendingCall) decoded(id webconferencing.CallID) (*entry, error) {
	if c.err != nil || c.entry == nil || c.call != nil {
		return c.entry, c.err
	}
	return decodeEntry(id, c.record)
}

// gone tells whether there is no value, or none any more.
func (v pendingValue) gone(now time.Time) bool {
	return v.err == nil && (v.record == nil || !v.expires.IsZero() && !v.expires.After(now))
}

// rows returns how many rows are pending.
func (p *pending) rows() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	rows := int(p.active.rows)
	if p.frozen != nil {
		rows += int(p.frozen.rows)
	}
	return rows
}

// empty tells whether everything is in its place.
func (p *pending) empty() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.frozen == nil && p.active.rows == 0 && p.active.last == 0
}
