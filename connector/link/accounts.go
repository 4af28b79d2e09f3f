package link

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/webconferencing/webconferencing"
)

// Account is a kind of account that users may have in their profiles.
type Account struct {
	// Type names it as a [webconferencing.AccountType] does, Title is for
	// people.
	Type, Title string
	// Pattern is a regular expression that the whole account must match. It
	// must not take an empty account, nor one that begins with < or a space.
	Pattern string
	// Problem is the sentence for somebody whose account does not match.
	// Defaults to one in English that says no more than that.
	Problem string
}

// AccountProvider is a [Provider] that brings account types along, a
// [webconferencing.AccountTyper].
type AccountProvider struct {
	*Provider
	types    []webconferencing.AccountType
	patterns map[string]*regexp.Regexp
	problems map[string]string
}

// WithAccounts returns the provider together with account types, at least one.
// All faults of the accounts are reported at once.
func (p *Provider) WithAccounts(accounts ...Account) (*AccountProvider, error) {
	with := &AccountProvider{Provider: p, patterns: make(map[string]*regexp.Regexp), problems: make(map[string]string)}
	var faults []error
	if len(accounts) == 0 {
		faults = append(faults, errors.New("accounts are missing"))
	}
	for i, a := range accounts {
		if err := with.add(a); err != nil {
			faults = append(faults, fmt.Errorf("accounts[%d]: %w", i, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	return with, nil
}

func (p *AccountProvider) add(a Account) error {
	var faults []error
	if !webconferencing.ValidProviderType(a.Type) {
		faults = append(faults, fmt.Errorf("Type %q is not 1 to 32 lower-case letters, digits and _", a.Type))
	}
	if _, taken := p.patterns[a.Type]; taken {
		faults = append(faults, fmt.Errorf("Type %q is there already", a.Type))
	}
	if a.Title == "" {
		faults = append(faults, errors.New("Title is missing"))
	}
	// Alone first, so that a stray parenthesis can't get around the anchors.
	_, err := regexp.Compile(a.Pattern)
	if err != nil {
		return errors.Join(append(faults, fmt.Errorf("Pattern: %w", err))...)
	}
	whole := regexp.MustCompile(`\A(?:` + a.Pattern + `)\z`)
	for _, bad := range []string{"", " ", "\x00", "<script>"} {
		if whole.MatchString(bad) {
			faults = append(faults, fmt.Errorf("Pattern: takes %q", bad))
		}
	}
	if a.Problem == "" {
		a.Problem = fmt.Sprintf("This can't be an account of the kind %q.", a.Title)
	}
	p.types = append(p.types, webconferencing.AccountType{Type: a.Type, Title: a.Title})
	p.patterns[a.Type], p.problems[a.Type] = whole, a.Problem
	return errors.Join(faults...)
}

// AccountTypes implements [webconferencing.AccountTyper].
func (p *AccountProvider) AccountTypes() []webconferencing.AccountType {
	return append([]webconferencing.AccountType(nil), p.types...)
}

// CheckAccount implements [webconferencing.AccountTyper]. Spaces around the
// account do not count.
func (p *AccountProvider) CheckAccount(_ context.Context, typ, account string) (string, error) {
	pattern, ok := p.patterns[typ]
	if !ok {
		return "", errors.New("There is no such kind of account.")
	}
	account = strings.TrimSpace(account)
	if !pattern.MatchString(account) {
		return "", errors.New(p.problems[typ])
	}
	return account, nil
}
