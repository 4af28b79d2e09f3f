package boltstore

import (
	"container/list"
	"sync"

	"github.com/webconferencing/webconferencing"
)

// lru keeps the most recently used values within a number and a total cost.
// It is not safe for concurrent use.
type lru[K comparable, V any] struct {
	most, mostCost int
	cost           int
	order          *list.List // of *lruItem[K, V], latest use first
	items          map[K]*list.Element
	dropped        func(V) // called for each value that had to make room
}

type lruItem[K comparable, V any] struct {
	key   K
	value V
	cost  int
}

func newLRU[K comparable, V any](most, mostCost int, dropped func(V)) *lru[K, V] {
	return &lru[K, V]{
		most: most, mostCost: mostCost, dropped: dropped,
		order: list.New(), items: make(map[K]*list.Element),
	}
}

func (l *lru[K, V]) get(k K) (v V, ok bool) {
	e, ok := l.items[k]
	if !ok {
		return v, false
	}
	l.order.MoveToFront(e)
	return e.Value.(*lruItem[K, V]).value, true
}

func (l *lru[K, V]) put(k K, v V, cost int) {
	l.remove(k)
	if cost > l.mostCost/4 {
		l.dropped(v) // not worth throwing so many others out
		return
	}
	l.items[k] = l.order.PushFront(&lruItem[K, V]{k, v, cost})
	l.cost += cost
	for len(l.items) > l.most || l.cost > l.mostCost {
		oldest := l.order.Back().Value.(*lruItem[K, V])
		l.remove(oldest.key)
		l.dropped(oldest.value)
	}
}

func (l *lru[K, V]) remove(k K) {
	if e, ok := l.items[k]; ok {
		l.cost -= l.order.Remove(e).(*lruItem[K, V]).cost
		delete(l.items, k)
	}
}

func (l *lru[K, V]) clear() {
	l.order.Init()
	clear(l.items)
	l.cost = 0
}

// callCache holds decoded calls as of the latest durable commit. The writer
// replaces what it changed; readers add what they missed. A reader may have
// looked at the file before a commit and come to add its find after it, so
// each entry bears the number of the transaction it was seen in, and floor
// that of the newest entry that is no longer there to compare with.
type callCache struct {
	mu    sync.Mutex
	lru   *lru[webconferencing.CallID, cachedEntry]
	floor uint64
}

type cachedEntry struct {
	*entry
	tx uint64
}

func newCallCache(most, mostCost int) *callCache {
	c := &callCache{}
	c.lru = newLRU[webconferencing.CallID](most, mostCost, func(e cachedEntry) {
		c.floor = max(c.floor, e.tx)
	})
	return c
}

// get returns the entry of a call, or nil.
func (c *callCache) get(id webconferencing.CallID) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, _ := c.lru.get(id)
	return e.entry
}

// add keeps an entry that a reader found in transaction tx, unless it may be
// out of date.
func (c *callCache) add(id webconferencing.CallID, e *entry, tx uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.lru.get(id); ok || tx < c.floor {
		return
	}
	c.lru.put(id, cachedEntry{e, tx}, e.size)
}

// publish replaces the entries that transaction tx changed; nil removes one.
func (c *callCache) publish(changed map[webconferencing.CallID]*entry, tx uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, e := range changed {
		if e == nil || e.call == nil {
			c.lru.remove(id)
			c.floor = max(c.floor, tx)
			continue
		}
		c.lru.put(id, cachedEntry{e, tx}, e.size)
	}
}

// reset forgets everything and what readers saw before transaction tx.
func (c *callCache) reset(tx uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.clear()
	c.floor = max(c.floor, tx)
}

func (c *callCache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lru.items)
}

// mostBatches bounds the number of cached batches; their cost does the rest.
const mostBatches = 100_000

// batchCache holds decoded journal batches. A batch never changes, so nothing
// has to be replaced.
type batchCache struct {
	mu  sync.Mutex
	lru *lru[webconferencing.Position, *batch]
}

func newBatchCache(mostCost int) *batchCache {
	return &batchCache{lru: newLRU[webconferencing.Position](mostBatches, mostCost, func(*batch) {})}
}

func (c *batchCache) get(last webconferencing.Position) (*batch, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lru.get(last)
}

func (c *batchCache) add(last webconferencing.Position, b *batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.put(last, b, b.size)
}

func (c *batchCache) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.clear()
}
