package expr

import (
	"math/rand"
	"strings"
	"testing"
)

// answering is a host whose conditions are asked once a request is answered.
var answering = Host{Answers: true}

func TestConditionsOfAnswers(t *testing.T) {
	for _, test := range []struct {
		source, line string
		met          []int // of statuses
	}{
		{`status() == 201`, "GET /", []int{201}},
		{`status() != 201`, "GET /", []int{101, 200, 204, 302, 404, 500}},
		{`status() >= 200 && status() < 300`, "GET /", []int{200, 201, 204}},
		{`status().in("201", "302")`, "GET /", []int{201, 302}},
		{`status() == "404" || status().hasPrefix("5")`, "GET /", []int{404, 500}},
		{`!(status().exists() && status().lower() < "400")`, "GET /", []int{404, 500}},
		{`status().matches("^20.$")`, "GET /", []int{200, 201, 204}},
		{`method() == "POST" && path() == "/orders" && status() == 201`, "POST /orders", []int{201}},
		{`method() == "POST" && path() == "/orders" && status() == 201`, "GET /orders", nil},
		{`status() == 201 && method() == "POST"`, "GET /orders", nil},
		{`path() == "/gone" || status() == 404`, "GET /gone", []int{101, 200, 201, 204, 302, 404, 500}},
		{`path() == "/gone" || status() == 404`, "GET /", []int{404}},
		{`path() == "/gone" && !(status() == 404 || ip() == "192.0.2.1")`, "GET /gone", nil},
		{`path() == "/gone" && !(status() == 404 || ip() == "192.0.2.2")`, "GET /gone", []int{101, 200, 201, 204, 302, 500}},
	} {
		c, problems := ParseCondition(test.source, answering)
		if c == nil {
			t.Errorf("%s: %v", test.source, problems)
			continue
		}
		settled := Settle(c, &Input{Request: request(t, test.line), Address: "192.0.2.1"})
		var met []int
		for _, status := range []int{101, 200, 201, 204, 302, 404, 500} {
			if Met(settled, status) {
				met = append(met, status)
			}
		}
		if !equalInts(met, test.met) || !c.AsksStatus() {
			t.Errorf("%s of %s is met by %v, want %v", test.source, test.line, met, test.met)
		}
	}
}

func equalInts(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestWhatIsSettledIsTheCondition: of any condition, request and status, the two parts come to what the condition does with
// each status() in it answered in words; and what may hold, and what is explained, is as true.
func TestWhatIsSettledIsTheCondition(t *testing.T) {
	random := rand.New(rand.NewSource(7))
	statuses := map[string]string{"200": `status() == 200`, "500": `status().in("500")`}
	for n := 0; n < 600; n++ {
		source := conditionOfAnswers(random, 4)
		c, problems := ParseCondition(source, answering)
		if c == nil {
			t.Fatal(source, problems)
		}
		in := &Input{Request: request(t, []string{"GET /a", "POST /b"}[random.Intn(2)])}
		settled := Settle(c, in)
		possible := Next(NewTable([]*Condition{c.Possible()}), in, None) == 0
		result, _ := Explain(c, in, &Assumed{})
		for _, status := range []int{200, 302, 500} {
			words := source
			for code, asked := range statuses {
				answer := "false"
				if code == "200" && status == 200 || code == "500" && status == 500 {
					answer = "true"
				}
				words = strings.ReplaceAll(words, asked, answer)
			}
			want := evaluates(t, words, in)
			if got := Met(settled, status); got != want {
				t.Fatalf("%s of %s %s and %d is %v, and what is settled of it %v", source, in.Request.Method, in.Request.URL.Path, status, want, got)
			}
			if want && !possible {
				t.Fatalf("%s is met by %d, and was said not to be possible", source, status)
			}
			if result != Open && (result == Held) != want {
				t.Fatalf("%s is %v of %d, and explained as %s", source, want, status, result)
			}
		}
	}
}

func conditionOfAnswers(random *rand.Rand, depth int) string {
	leaves := []string{`status() == 200`, `status().in("500")`, `path() == "/a"`, `method() == "POST"`, `true`, `false`}
	if depth == 0 || random.Intn(4) == 0 {
		return leaves[random.Intn(len(leaves))]
	}
	left := conditionOfAnswers(random, depth-1)
	switch random.Intn(3) {
	case 0:
		return "!(" + left + ")"
	case 1:
		right := conditionOfAnswers(random, depth-1)
		return "(" + left + " && " + right + ")"
	}
	right := conditionOfAnswers(random, depth-1)
	return "(" + left + " || " + right + ")"
}

// TestWhatIsDecidedIsNotAsked: a token is verified only for who has to have claims.
func TestWhatIsDecidedIsNotAsked(t *testing.T) {
	host := Host{Answers: true, Placeholder: testHost.Placeholder}
	c, problems := ParseCondition(`status() == 201 && path() == "/orders" && random() < 2`, host)
	if c == nil {
		t.Fatal(problems)
	}
	in := &Input{Request: request(t, "GET /")}
	if Settle(c, in); in.Drew() {
		t.Error("random() was asked, though the path decides")
	}
}

func TestProblemsOfAnswers(t *testing.T) {
	const early = `status() is known once a request is answered, and only the conditions of goals are asked then: ask here for what the request has, such as path() or method()`
	for _, test := range []struct {
		source string
		host   Host
		want   string
	}{
		{`path() == "/" && status() == 201`, Host{}, `column 18: ` + early},
		{`status().exists()`, Host{}, `column 1: ` + early},
		{`statsu() == 201`, answering, `column 1: unknown function "statsu" (did you mean "status"?)`},
		{`code() == 201`, answering, `column 1: unknown function "code"; there are header, cookie, query, path, method, host, scheme, ip, geo, claim, placeholder, random, status`},
		{`status("x") == 201`, answering, `column 8: status takes no argument: write status()`},
		{`status()`, answering, `column 1: a value is not a condition: append .exists(), or compare it`},
		{`status() == 2000`, answering, `column 13: 2000 is no status: write a number such as 201, or a range such as status() >= 200 && status() < 300`},
		{`status() == 20.5`, answering, `column 13: 20.5 is no status: write a number such as 201, or a range such as status() >= 200 && status() < 300`},
		{`status() != -201`, answering, `column 13: -201 is no status: write a number such as 201, or a range such as status() >= 200 && status() < 300`},
		{`status() == "2xx"`, answering, `column 13: "2xx" is no status: write a number such as 201, or a range such as status() >= 200 && status() < 300`},
		{`status().in("201", "OK")`, answering, `column 20: "OK" is no status: write a number such as 201, or a range such as status() >= 200 && status() < 300`},
		{`status() == true`, answering, `column 13: true is no status: write a number such as 201, or a range such as status() >= 200 && status() < 300`},
		{`status().has("201")`, answering, `column 10: .has looks into lists, and this is a single value: use == or .in`},
	} {
		_, problems := ParseCondition(test.source, test.host)
		if got := join(problems); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.source, got, test.want)
		}
	}
	_, problems := ParseKey([]string{`status()`}, Host{})
	if got := join(problems[0]); got != `column 1: `+early {
		t.Errorf("as a key: %s", got)
	}
}
