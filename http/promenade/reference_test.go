package promenade_test

import (
	"strconv"
	"strings"
	"testing"

	"gesta/http/web/webtest"
)

const shared = "/api/v1/shared"

func read(path string) webtest.Call { return webtest.Call{Method: "GET", Path: shared + path} }

func TestTheExchangesOfReferenceData(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	client.Say(t, "countries of a region", read("/countries?region=antarctica&is_active=true"))
	client.Say(t, "a country", read("/countries/UA"))
	client.Say(t, "a country in lower case", read("/countries/ua"))
	client.Say(t, "a country without telephones", read("/countries/BV"))
	client.Say(t, "no country", read("/countries/XX"))
	client.Say(t, "countries that are not in use", read("/countries?is_active=false"))
	client.Say(t, "countries that may be in use", read("/countries?is_active=maybe"))
	client.Say(t, "countries of a region by its path", read("/countries/region/Antarctica"))
	client.Say(t, "a region without countries", read("/countries/region/Atlantis"))
	client.Say(t, "a region that is no text", read("/countries?region=%00"))
	client.Say(t, "a currency", read("/currencies/uah"))
	client.Say(t, "a currency without a minor unit", read("/currencies/JPY"))
	client.Say(t, "a currency that is not in use any more", read("/currencies/BGN"))
	client.Say(t, "no currency", read("/currencies/XXX"))
	client.Say(t, "currencies that may be in use", read("/currencies?is_active=1"))
	client.Say(t, "currencies that are in use nowhere", read("/currencies?is_active=false"))
	client.Say(t, "a language", read("/languages/UK"))
	client.Say(t, "a language from the right", read("/languages/ar"))
	client.Say(t, "no language", read("/languages/xx"))
	client.Say(t, "languages that are not in use", read("/languages?is_active=false"))
	client.Say(t, "languages that may be in use", read("/languages?is_active=TRUE"))
	client.Say(t, "time zones of a region", read("/timezones?region=Arctic"))
	client.Say(t, "time zones of a country", read("/timezones?country=ua&region=Europe"))
	client.Say(t, "time zones of a region by its path", read("/timezones/region/arctic?is_active=true"))
	client.Say(t, "a region without time zones", read("/timezones/region/Atlantis"))
	client.Say(t, "a time zone", read("/timezones/Europe/Kyiv"))
	client.Say(t, "a time zone with its slash encoded", read("/timezones/Europe%2FKyiv"))
	client.Say(t, "a time zone by an older name", read("/timezones/Europe/Kiev"))
	client.Say(t, "a time zone of three parts", read("/timezones/America/Argentina/Buenos_Aires"))
	client.Say(t, "a time zone without a slash", read("/timezones/UTC"))
	client.Say(t, "a time zone that is no place's", read("/timezones/Etc/GMT+5"))
	client.Say(t, "no time zone", read("/timezones/Europe/Atlantis"))
	client.Say(t, "a region is no time zone", read("/timezones/region"))
	client.Golden(t, "reference")
}

func TestReferenceListsAreWhole(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	for path, count := range map[string]int{
		"/countries": 249, "/countries?is_active=true": 249, "/countries?is_active=false": 0, "/countries?region=Europe": 51,
		"/countries?region=EUROPE&is_active=false": 0, "/countries/region/Europe?is_active=true": 51,
		"/currencies": 182, "/currencies?is_active=true": 153, "/currencies?is_active=false": 29,
		"/languages": 183, "/languages?is_active=true": 183,
		"/timezones": 445, "/timezones?is_active=true": 419, "/timezones?is_active=false": 26,
		"/timezones?region=Europe": 58, "/timezones/region/Europe": 58, "/timezones?region=Etc&is_active=true": 1,
	} {
		a := client.Do(t, read(path))
		var said struct {
			Status string
			Data   []map[string]any
		}
		a.JSON(t, &said)
		if a.Status != 200 || said.Status != "success" || said.Data == nil || len(said.Data) != count {
			t.Errorf("%s: %d with %d, not %d", path, a.Status, len(said.Data), count)
		}
		names := map[any]bool{}
		for _, one := range said.Data {
			name := one["code"]
			if strings.HasPrefix(path, "/timezones") {
				name = one["name"]
			} else if one["name"] == "" || one["name_uk"] == "" {
				t.Errorf("%s: %v", path, one)
			}
			if names[name] {
				t.Errorf("%s has %v twice", path, name)
			}
			names[name] = true
		}
	}
}

func TestReferenceDataMayBeKeptForADay(t *testing.T) {
	t.Parallel()
	_, client, surface := start(t)
	for _, r := range surface.Routes {
		if !strings.HasPrefix(r.Path, shared) {
			continue
		}
		path := strings.NewReplacer(
			"countries/:code", "countries/UA", "currencies/:code", "currencies/UAH", "languages/:code", "languages/uk",
			":region", "Europe", "*", "Europe/Kyiv",
		).Replace(r.Path)
		first := client.Do(t, webtest.Call{Method: "GET", Path: path})
		tag := first.Header.Get("ETag")
		if kept := first.Header.Get("Cache-Control"); first.Status != 200 || kept != "public, max-age=86400" || tag == "" {
			t.Errorf("%s: %d, kept %q as %s", path, first.Status, kept, tag)
		}
		again := client.Do(t, webtest.Call{Method: "GET", Path: path, Header: map[string]string{"If-None-Match": tag}})
		if again.Status != 304 || again.Text != "" || again.Header.Get("ETag") != tag {
			t.Errorf("%s again: %d %s", path, again.Status, again.Text)
		}
		head := client.Do(t, webtest.Call{Method: "HEAD", Path: path})
		if head.Status != 200 || head.Header.Get("Content-Length") != strconv.Itoa(len(first.Text)) {
			t.Errorf("HEAD %s: %d of %s", path, head.Status, head.Header.Get("Content-Length"))
		}
	}
}
