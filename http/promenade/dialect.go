package promenade

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/crm"
	"gesta/domain/identity"
	"gesta/http/web"
)

// dialect puts what it answers into an envelope that says how it went.
var dialect = web.Dialect{
	Envelope: func(_ http.Header, shown any) any {
		l, ok := shown.(web.Listed)
		if !ok {
			return success{Status: "success", Data: shown}
		}
		items, page, total := l.Listing()
		return success{"success", items, &pagination{total, page.Number, page.Size, page.Of(total)}}
	},
	Fault: func(f *domain.Fault) web.Body {
		return web.Body{Type: web.JSON, Value: refusal{Status: "error", Error: problem{codeOf(f), textOf(f)}}}
	},
}

// success is how every answer looks that is no refusal.
type success struct {
	Status string `json:"status" enum:"success"`
	Data   any    `json:"data"`
	// Of lists that come in pages.
	Pagination *pagination `json:"pagination,omitempty"`
}

// pagination says which page of a list is shown.
type pagination struct {
	// Items on all pages.
	Total int `json:"total"`
	// Counted from 1.
	Page       int `json:"page"`
	PageSize   int `json:"page_size"`
	TotalPages int `json:"total_pages"`
}

// refusal is how every refusal looks.
type refusal struct {
	Status string  `json:"status" enum:"error"`
	Error  problem `json:"error"`
}

// problem is what is wrong.
type problem struct {
	// For programs.
	Code string `json:"code"`
	// For people.
	Message string `json:"message"`
}

// said answers with nothing but a message.
type said struct {
	Message string `json:"message"`
}

// words are the document's for refusals that have some of their own. Without a message the refusal's text is said.
var words = map[string]problem{
	identity.ErrUserNotFound.Code:   {Code: "USER_NOT_FOUND"},
	identity.ErrEmailTaken.Code:     {Code: "EMAIL_ALREADY_EXISTS"},
	identity.ErrSessionEnded.Code:   {Code: "UNAUTHORIZED", Message: "Invalid refresh token"},
	identity.ErrRefreshExpired.Code: {Code: "TOKEN_EXPIRED", Message: "Refresh token expired"},
	identity.ErrRefreshRevoked.Code: {Code: "TOKEN_REVOKED", Message: "Token has been revoked"},
	commands.ErrCredentials.Code:    {Code: "UNAUTHORIZED", Message: "Invalid e-mail or password"},
	commands.ErrToken.Code:          {Code: "UNAUTHORIZED", Message: "Missing or invalid token"},
	commands.ErrTokenExpired.Code:   {Code: "TOKEN_EXPIRED", Message: "Access token expired"},
	commands.ErrTokenRevoked.Code:   {Code: "TOKEN_REVOKED", Message: "Token has been revoked"},
	crm.ErrCustomerNotFound.Code:    {Code: "CUSTOMER_NOT_FOUND"},
	crm.ErrEmailTaken.Code:          {Code: "EMAIL_ALREADY_EXISTS"},
}

// kinds are the document's words for all others. What it has no word for is spelled as its own are.
var kinds = map[domain.Kind]string{
	domain.Internal:        "INTERNAL_ERROR",
	domain.Invalid:         "VALIDATION_ERROR",
	domain.Unauthenticated: "UNAUTHORIZED",
	domain.Forbidden:       "FORBIDDEN",
	domain.NotFound:        "NOT_FOUND",
	domain.Conflict:        "CONFLICT",
	domain.TooMany:         "RATE_LIMIT_EXCEEDED",
}

func codeOf(f *domain.Fault) string {
	return cmp.Or(words[f.Code].Code, kinds[f.Kind], strings.ToUpper(f.Code))
}

// textOf is a sentence, with all that is wrong with fields.
func textOf(f *domain.Fault) string {
	if f.Kind == domain.TooMany {
		return fmt.Sprintf("Rate limit exceeded. Try again in %d seconds.", f.RetrySeconds())
	}
	text := cmp.Or(words[f.Code].Message, f.Text)
	for i, field := range f.Fields {
		between := "; "
		if i == 0 {
			between = ": "
		}
		text += between + field.Name + " " + field.Text
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}
