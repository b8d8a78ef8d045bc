package demo

// School is a school of the demo.
type School struct {
	Slug, Name, Plan string
	Prefix           string // of the admission numbers
	Students         int
	Seed             uint64
	Currency         string
	Tuition          int64       // of the lowest year, per term, in minor units
	First            [][2]string // the first students, who are named in the README
}

// Schools returns the schools of the demo. basic and premium are the names of the program's plans;
// the second school has premium.
func Schools(basic, premium string) []School {
	return []School{
		{
			Slug: "schoola", Name: "Ashgrove Academy", Plan: basic, Prefix: "A", Students: 412, Seed: 11,
			Currency: "GBP", Tuition: 145000,
			First: [][2]string{
				{"Amara", "Okafor"},
				{"Bruno", "Keller"},
				{"Chandra", "Iyer"},
				{"Daniela", "Rossi"},
				{"Emil", "Novak"},
				{"Fatima", "Haddad"},
			},
		},
		{
			Slug: "schoolb", Name: "Brookfield College", Plan: premium, Prefix: "B", Students: 538, Seed: 23,
			Currency: "EUR", Tuition: 128000,
			First: [][2]string{
				{"Mateo", "Fernández"},
				{"Nadia", "Karim"},
				{"Oskar", "Lindqvist"},
				{"Priya", "Sharma"},
				{"Quentin", "Dubois"},
				{"Rosa", "Almeida"},
			},
		},
		{
			Slug: "schoolc", Name: "Cedar Hill School", Plan: basic, Prefix: "C", Students: 287, Seed: 37,
			Currency: "USD", Tuition: 96000,
			First: [][2]string{
				{"Samuel", "Adeyemi"},
				{"Tuuli", "Virtanen"},
				{"Uma", "Reddy"},
				{"Viktor", "Horvat"},
				{"Wanjiru", "Kamau"},
				{"Yusuf", "Demir"},
			},
		},
	}
}

// Slugs returns the short names of the demo's schools. No other school can have one of them.
func Slugs() (slugs []string) {
	for _, s := range Schools("", "") {
		slugs = append(slugs, s.Slug)
	}
	return slugs
}
