package demo

// Names of all over the world: what has no Latin letters in it is in some school's books as well.
var firstNames = []string{
	"Aaliyah", "Adaeze", "Adrián", "Aiko", "Alejandra", "Alma", "Amina", "Anders", "Aoife", "Arjun", "Astrid", "Ayşe", "Beatriz", "Benedikt",
	"Camille", "Céline", "Chidi", "Chloé", "Cian", "Dalia", "Dawit", "Deepa", "Dmitri", "Eero", "Elif", "Elena", "Emeka", "Esra", "Farid", "Felix",
	"Freya", "Giulia", "Gonzalo", "Habiba", "Hassan", "Henrik", "Hugo", "Ibrahim", "Ines", "Isha", "Jakub", "Jamal", "Jana", "Joon", "Kamala",
	"Karim", "Kaveh", "Keiko", "Kwame", "Lars", "Leonor", "Lina", "Lucía", "Luka", "Magnus", "Mai", "Malik", "Mariam", "Marta", "Mehmet", "Mina",
	"Mira", "Naledi", "Naveen", "Nia", "Nikolai", "Noor", "Nuno", "Ofelia", "Olga", "Omar", "Paloma", "Pavel", "Petra", "Rafael", "Ravi", "Rohan",
	"Sadia", "Sanna", "Selin", "Simone", "Siobhán", "Sofia", "Stefan", "Sunita", "Tariq", "Teodora", "Thabo", "Thanh", "Tomás", "Vera", "Wei",
	"Xiomara", "Yara", "Yui", "Zainab", "Zofia", "Zoltán",
}

var lastNames = []string{
	"Abebe", "Achterberg", "Afolabi", "Ahmed", "Andersson", "Aziz", "Bakker", "Banerjee", "Barros", "Benali", "Bianchi", "Boateng", "Byrne",
	"Campos", "Castillo", "Chang", "Chaudhry", "Chen", "Costa", "Dąbrowski", "Das", "Delgado", "Diallo", "Dlamini", "D'Souza", "Eriksen", "Fischer",
	"Flores", "Fofanah", "Gallo", "García", "Ghosh", "Girma", "Gruber", "Gupta", "Hakimi", "Hansen", "Hernández", "Hoffmann", "Hussein", "Ibáñez",
	"Ito", "Ivanova", "Jansen", "Jensen", "Joshi", "Kaya", "Kelly", "Khan", "Kim", "Kovács", "Kowalska", "Kruger", "Kumar", "Laurent", "Lê", "Lopes",
	"Mahlangu", "Marino", "Martin", "Mbeki", "McCarthy", "Mendoza", "Meyer", "Mishra", "Molina", "Mutua", "Mwangi", "Nakamura", "Nguyen", "Nilsson",
	"Nowak", "Obi", "O'Brien", "Olsen", "Osei", "Öztürk", "Papadaki", "Park", "Patel", "Pereira", "Popescu", "Rahman", "Ramos", "Richter", "Romero",
	"Saito", "Salazar", "Schneider", "Silva", "Singh", "Soto", "Suzuki", "Tanaka", "Tesfaye", "Traoré", "Tran", "Vargas", "Vasquez", "Vogel", "Wang",
	"Wójcik", "Yılmaz", "Zhang", "Zulu",
}
