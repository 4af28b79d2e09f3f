package webconferencing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Every Service that runs is a node: it writes a sign of life into one shared
// value, and thereby vouches for the seats whose leases it keeps in memory.
// When the sign is missing for nodeTTL the node counts as dead; its seats are
// left to devices that come back for a whole seat lease, counted from the last
// sign or from the time that anybody was there to come back to, and then
// removed. A node that starts gets an id of its own, so the seats of its
// earlier life are found the same way.

const (
	nodesKey    = "nodes"
	nodeBeat    = 5 * time.Second
	nodeTTL     = 15 * time.Second
	nodeForget  = 24 * time.Hour
	nodeRetries = 50
)

// nodeSign is what a node says of itself.
type nodeSign struct {
	Name string    `json:"name"`
	Seen time.Time `json:"seen"`
}

// nodeTable is this node's view of all nodes.
type nodeTable struct {
	mu    sync.Mutex
	signs map[string]nodeSign
	// traceless are nodes that seats speak of but that left no sign.
	traceless map[string]bool
	swept     map[string]bool // dead nodes whose seats were removed
}

// beat writes this node's sign of life and reads the others'.
func (s *Service) beat(ctx context.Context) error {
	for range nodeRetries {
		signs, revision, err := s.readNodes(ctx)
		if err != nil {
			return err
		}
		began, now := time.Now(), s.now()
		signs[s.node] = nodeSign{Name: s.opts.NodeName, Seen: now}
		maps.DeleteFunc(signs, func(_ string, n nodeSign) bool { return now.Sub(n.Seen) > nodeForget })
		data, err := json.Marshal(signs)
		if err != nil {
			return fmt.Errorf("encode nodes: %w", err)
		}
		_, err = s.store.Commit(ctx, &Change{Values: []ValueChange{{Key: nodesKey, Expect: revision, Data: data}}})
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		s.leases.vouch(began, nodeTTL)
		s.nodes.learn(signs)
		return nil
	}
	return fmt.Errorf("sign of life: %w", ErrConflict)
}

func (s *Service) readNodes(ctx context.Context) (map[string]nodeSign, uint64, error) {
	signs := make(map[string]nodeSign)
	v, err := s.store.Value(ctx, nodesKey)
	switch {
	case errors.Is(err, ErrNotFound):
		return signs, 0, nil
	case err != nil:
		return nil, 0, err
	}
	if err := json.Unmarshal(v.Data, &signs); err != nil {
		return nil, 0, fmt.Errorf("decode nodes: %w", err)
	}
	return signs, v.Revision, nil
}

func (n *nodeTable) learn(signs map[string]nodeSign) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.signs = signs
	for id := range n.swept {
		if _, known := signs[id]; !known && !n.traceless[id] {
			delete(n.swept, id)
		}
	}
}

// othersAlive tells whether a node under another name showed itself lately.
func (n *nodeTable) othersAlive(self, name string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, sign := range n.signs {
		if id != self && sign.Name != name && now.Sub(sign.Seen) <= nodeTTL {
			return true
		}
	}
	return false
}

// lost returns the dead nodes whose seats are to be removed now.
func (n *nodeTable) lost(self string, now, started time.Time, seatTTL time.Duration) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var lost []string
	judge := func(id string, seen time.Time) {
		from := seen
		if from.Before(started) {
			from = started
		}
		if id != self && !n.swept[id] && now.Sub(seen) > nodeTTL && now.Sub(from) >= seatTTL {
			lost = append(lost, id)
		}
	}
	for id, sign := range n.signs {
		judge(id, sign.Seen)
	}
	for id := range n.traceless {
		if _, known := n.signs[id]; !known {
			judge(id, time.Time{})
		}
	}
	slices.Sort(lost)
	return lost
}

// sign is a node's last sign of life, if it left one.
func (n *nodeTable) sign(id string) (nodeSign, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	sign, ok := n.signs[id]
	return sign, ok
}

func (n *nodeTable) markSwept(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.swept[id] = true
}

// adopt notes nodes that seats speak of, in case they left no sign.
func (n *nodeTable) adopt(ids []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range ids {
		n.traceless[id] = true
	}
}

// sweepLostNodes removes the seats of nodes that are dead for good.
func (s *Service) sweepLostNodes(ctx context.Context) error {
	for _, node := range s.nodes.lost(s.node, s.now(), s.started, s.opts.SeatTTL) {
		sign, _ := s.nodes.sign(node)
		work := make(map[CallID]command)
		for c, err := range s.store.Calls(ctx, CallQuery{Key: nodeKey(node)}) {
			if err != nil {
				return err
			}
			work[c.ID] = &nodeLostCommand{node: node, seen: sign.Seen}
		}
		if len(work) == 0 { // only a look without finds is proof that nothing is left
			s.nodes.markSwept(node)
			continue
		}
		if err := s.sweep(ctx, "seats of a lost node", work); err != nil {
			return fmt.Errorf("remove seats of a lost node: %w", err)
		}
	}
	return nil
}

// recoverCalls looks at the calls that an earlier run left started. If no
// other node was there meanwhile, rings get their full time again. Seats need
// nothing: they wait for their devices as those of any dead node.
func (s *Service) recoverCalls(ctx context.Context) error {
	alone := !s.nodes.othersAlive(s.node, s.opts.NodeName, s.now())
	var unknown []string
	work := make(map[CallID]command)
	for c, err := range s.store.Calls(ctx, CallQuery{Key: liveKey}) {
		if err != nil {
			return err
		}
		for _, seat := range c.Seats {
			if seat.Node != s.node && !slices.Contains(unknown, seat.Node) {
				unknown = append(unknown, seat.Node)
			}
		}
		if alone && c.wantsRearm(s.now()) {
			work[c.ID] = rearmCommand{}
		}
	}
	s.nodes.adopt(unknown)
	return s.sweep(ctx, "restart", work)
}
