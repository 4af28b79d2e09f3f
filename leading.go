package webconferencing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Some work must be done by one node for all: following what happens on behalf
// of a provider, probing it. A node leads by a value with a time, renewed like
// a sign of life; when it dies another one takes over after leadTTL. Two nodes
// that lead for a moment do no harm, everything done under a lead may be done
// twice.

const (
	leadTTL  = 15 * time.Second
	leadBeat = 5 * time.Second
)

type leadRecord struct {
	Node  string    `json:"node"`
	Until time.Time `json:"until"`
}

func leadKey(job string) string { return "lead/" + job }

// lead takes or keeps the lead of a job for leadTTL and reports whether this
// node has it.
func (s *Service) lead(ctx context.Context, job string) (bool, error) {
	held, revision, err := s.leader(ctx, job)
	if err != nil {
		return false, err
	}
	now := s.now()
	if held.Node != s.node && now.Before(held.Until) {
		return false, nil
	}
	return s.writeLead(ctx, job, leadRecord{Node: s.node, Until: now.Add(leadTTL)}, revision)
}

// resign gives the lead up, so that another node need not wait.
func (s *Service) resign(ctx context.Context, job string) error {
	held, revision, err := s.leader(ctx, job)
	if err != nil || held.Node != s.node {
		return err
	}
	_, err = s.writeLead(ctx, job, leadRecord{Node: s.node}, revision)
	return err
}

func (s *Service) leader(ctx context.Context, job string) (leadRecord, uint64, error) {
	var held leadRecord
	v, err := s.store.Value(ctx, leadKey(job))
	if errors.Is(err, ErrNotFound) {
		return held, 0, nil
	}
	if err != nil {
		return held, 0, err
	}
	if err := json.Unmarshal(v.Data, &held); err != nil {
		return held, 0, fmt.Errorf("decode lead: %w", err)
	}
	return held, v.Revision, nil
}

func (s *Service) writeLead(ctx context.Context, job string, rec leadRecord, expect uint64) (bool, error) {
	data, err := json.Marshal(rec)
	if err != nil {
		return false, fmt.Errorf("encode lead: %w", err)
	}
	_, err = s.store.Commit(ctx, &Change{Values: []ValueChange{{Key: leadKey(job), Expect: expect, Data: data}}})
	if errors.Is(err, ErrConflict) {
		return false, nil
	}
	return err == nil, err
}
