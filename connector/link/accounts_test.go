package link_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/connectortest"
	"github.com/webconferencing/webconferencing/connector/link"
)

func withAccounts(t *testing.T) *link.AccountProvider {
	t.Helper()
	p, err := newLink(t, "https://meet.example/{room}", nil).WithAccounts(
		link.Account{Type: "handle", Title: "Handle", Pattern: "@[a-z]{2,20}", Problem: "A handle begins with @."},
		link.Account{Type: "number", Title: "Number", Pattern: "1|12"},
	)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestConnectorWithAccounts(t *testing.T) {
	connectortest.Run(t, func() webconferencing.Provider { return withAccounts(t) }, &connectortest.Options{Secrets: []string{secret}})
}

func TestAccountsMatchAsAWhole(t *testing.T) {
	p := withAccounts(t)
	want := []webconferencing.AccountType{{Type: "handle", Title: "Handle"}, {Type: "number", Title: "Number"}}
	if got := p.AccountTypes(); !slices.Equal(got, want) {
		t.Errorf("account types are %v", got)
	}
	for _, c := range []struct{ typ, account, normal, problem string }{
		{"handle", "@mary", "@mary", ""},
		{"handle", " @mary\t", "@mary", ""},
		{"handle", "mary", "", "A handle begins with @."},
		{"handle", "@mary<b>", "", "A handle begins with @."},
		{"handle", "@mary\n@john", "", "A handle begins with @."},
		{"number", "12", "12", ""},
		{"number", "123", "", `"Number"`},
		{"skype", "@mary", "", "no such kind"},
	} {
		normal, err := p.CheckAccount(t.Context(), c.typ, c.account)
		if normal != c.normal || (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%s %q is %q, %v", c.typ, c.account, normal, err)
		}
	}
}

func TestWithAccountsNamesAllFaults(t *testing.T) {
	p := newLink(t, "https://meet.example/{room}", nil)
	_, err := p.WithAccounts(
		link.Account{Type: "Bad Type", Pattern: "x"},
		link.Account{Type: "open", Title: "Open", Pattern: "a)|(?:.*"},
		link.Account{Type: "any", Title: "Any", Pattern: ".*"},
		link.Account{Type: "twice", Title: "Twice", Pattern: "x"},
		link.Account{Type: "twice", Title: "Twice", Pattern: "x"},
	)
	for _, want := range []string{"accounts[0]: Type", "Title is missing", "accounts[1]: Pattern", "accounts[2]: Pattern: takes", "accounts[4]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
	if _, err := p.WithAccounts(); err == nil {
		t.Error("no accounts were taken")
	}
}
