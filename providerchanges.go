package webconferencing

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
)

// maxChanges is how many changes one answer has.
const maxChanges = 200

// ProviderChange says who changed what of a provider. The values are not kept.
type ProviderChange struct {
	Time time.Time `json:"time"`
	User UserID    `json:"user"`
	// Keys are the settings that were changed.
	Keys []string `json:"keys,omitempty"`
	// Active is set when the provider was switched on or off.
	Active *bool `json:"active,omitempty"`
}

func changesPrefix(typ string) string { return "provider-changes/" + typ + "/" }

// changeNote keeps a change for [Options].HistoryRetention. Keys put the
// newest first.
func (r *Registry) changeNote(e *entry, c ProviderChange) (ValueChange, error) {
	now := r.service.now()
	c.Time = now
	data, err := json.Marshal(c)
	if err != nil {
		return ValueChange{}, fmt.Errorf("encode provider change: %w", err)
	}
	key := fmt.Sprintf("%s%016x/%s", changesPrefix(e.info.Type), math.MaxInt64-now.UnixMilli(), uuid.NewString())
	return ValueChange{Key: key, Data: data, Expires: now.Add(r.service.opts.HistoryRetention)}, nil
}

// Changes returns the latest changes of a provider, newest first and 200 at
// most, for administrators.
func (r *Registry) Changes(ctx context.Context, by Actor, typ string) ([]ProviderChange, error) {
	const op = "get provider changes"
	if !by.Admin {
		return nil, r.service.wrap(ctx, by, op, denied("only administrators may do this"))
	}
	e, err := r.find(typ)
	if err != nil {
		return nil, r.service.wrap(ctx, by, op, err)
	}
	list := []ProviderChange{}
	for v, err := range r.service.store.Values(ctx, ValueQuery{Prefix: changesPrefix(e.info.Type), Limit: maxChanges}) {
		if err != nil {
			return nil, r.service.wrap(ctx, by, op, err)
		}
		var c ProviderChange
		if err := json.Unmarshal(v.Data, &c); err != nil {
			return nil, r.service.wrap(ctx, by, op, fmt.Errorf("decode provider change: %w", err))
		}
		list = append(list, c)
	}
	return list, nil
}
