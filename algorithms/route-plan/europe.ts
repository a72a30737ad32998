/**
 * The map that the route plans of the demo run on: some 300 places of Europe with their coordinates (degrees, rounded to
 * 0.01, about a kilometre), and the main roads between them as corridors, each a list of neighbours. The power of
 * charging (kW) at each place is an assumption of this project, not the data of any real site.
 */

export interface City {
  readonly name: string;
  readonly latDeg: number;
  readonly lonDeg: number;
  readonly chargeKw: number;
}

/** A ferry or a shuttle train: takes a fixed time and none of the vehicle's energy. */
export interface Link {
  readonly from: string;
  readonly to: string;
  readonly minutes: number;
}

/** One line a country: name, latitude, longitude, repeated. */
const PLACES = `
Lisbon 38.72 -9.14 Porto 41.15 -8.61 Faro 37.02 -7.93 Coimbra 40.21 -8.43 Evora 38.57 -7.91 Guarda 40.54 -7.27
Madrid 40.42 -3.70 Barcelona 41.39 2.17 Valencia 39.47 -0.38 Seville 37.39 -5.98 Zaragoza 41.65 -0.88 Malaga 36.72 -4.42 Murcia 37.98 -1.13 Bilbao 43.26 -2.93 Alicante 38.35 -0.48 Cordoba 37.88 -4.78 Valladolid 41.65 -4.72 Vigo 42.24 -8.72 Gijon 43.53 -5.66 ACoruna 43.36 -8.41 Granada 37.18 -3.60 SanSebastian 43.32 -1.98 Pamplona 42.81 -1.64 Santander 43.46 -3.81 Almeria 36.84 -2.46 Burgos 42.34 -3.70 Salamanca 40.97 -5.66 Leon 42.60 -5.57 Badajoz 38.88 -6.97 Albacete 38.99 -1.86 Girona 41.98 2.82 Huelva 37.26 -6.95 Merida 38.92 -6.34 Lleida 41.62 0.62 Tarragona 41.12 1.25 Castellon 39.99 -0.04 Logrono 42.47 -2.45 Cadiz 36.53 -6.29
Paris 48.86 2.35 Marseille 43.30 5.37 Lyon 45.76 4.84 Toulouse 43.60 1.44 Nice 43.70 7.27 Nantes 47.22 -1.55 Montpellier 43.61 3.88 Strasbourg 48.58 7.75 Bordeaux 44.84 -0.58 Lille 50.63 3.06 Rennes 48.11 -1.68 Reims 49.26 4.03 LeHavre 49.49 0.11 Grenoble 45.19 5.72 Dijon 47.32 5.04 Angers 47.47 -0.55 Brest 48.39 -4.49 LeMans 48.00 0.20 Tours 47.39 0.69 Limoges 45.83 1.26 ClermontFerrand 45.78 3.08 Besancon 47.24 6.02 Orleans 47.90 1.91 Rouen 49.44 1.10 Caen 49.18 -0.37 Nancy 48.69 6.18 Metz 49.12 6.18 Perpignan 42.70 2.90 Bayonne 43.49 -1.47 Poitiers 46.58 0.34 Amiens 49.89 2.30 Calais 50.95 1.85 Mulhouse 47.75 7.34 Troyes 48.30 4.08 Bourges 47.08 2.40 Valence 44.93 4.89 Pau 43.30 -0.37 Chambery 45.57 5.92 Niort 46.32 -0.46 Narbonne 43.18 3.00 Nimes 43.84 4.36
Brussels 50.85 4.35 Antwerp 51.22 4.40 Ghent 51.05 3.72 Liege 50.63 5.57 Namur 50.47 4.87 Luxembourg 49.61 6.13 Amsterdam 52.37 4.90 Rotterdam 51.92 4.48 Utrecht 52.09 5.12 Eindhoven 51.44 5.48 Groningen 53.22 6.57 Arnhem 51.98 5.91 Zwolle 52.51 6.09
Folkestone 51.08 1.18 London 51.51 -0.13 Birmingham 52.49 -1.89 Manchester 53.48 -2.24 Leeds 53.80 -1.55 Newcastle 54.98 -1.61 Edinburgh 55.95 -3.19 Glasgow 55.86 -4.25 Bristol 51.45 -2.59 Cardiff 51.48 -3.18 Southampton 50.90 -1.40 Exeter 50.72 -3.53 Cambridge 52.21 0.12 Carlisle 54.89 -2.93
Berlin 52.52 13.41 Hamburg 53.55 9.99 Munich 48.14 11.58 Cologne 50.94 6.96 Frankfurt 50.11 8.68 Stuttgart 48.78 9.18 Dusseldorf 51.23 6.78 Dortmund 51.51 7.47 Leipzig 51.34 12.37 Bremen 53.08 8.80 Dresden 51.05 13.74 Hannover 52.37 9.73 Nuremberg 49.45 11.08 Munster 51.96 7.63 Karlsruhe 49.01 8.40 Mannheim 49.49 8.47 Augsburg 48.37 10.90 Kassel 51.31 9.48 Freiburg 47.99 7.85 Kiel 54.32 10.12 Lubeck 53.87 10.69 Magdeburg 52.13 11.63 Erfurt 50.98 11.03 Rostock 54.09 12.14 Wurzburg 49.79 9.95 Regensburg 49.01 12.10 Ulm 48.40 9.99 Saarbrucken 49.24 7.00 Flensburg 54.78 9.44 Passau 48.57 13.43 Osnabruck 52.28 8.05 Chemnitz 50.83 12.92 Bielefeld 52.02 8.53 Giessen 50.58 8.67 Hof 50.31 11.91 Trier 49.76 6.64 Aachen 50.78 6.08
Zurich 47.37 8.54 Geneva 46.20 6.14 Basel 47.56 7.59 Bern 46.95 7.45 Lausanne 46.52 6.63 Lugano 46.00 8.95 StGallen 47.42 9.37
Vienna 48.21 16.37 Graz 47.07 15.44 Linz 48.31 14.29 Salzburg 47.80 13.04 Innsbruck 47.27 11.39 Klagenfurt 46.62 14.31 Villach 46.61 13.85 Bregenz 47.50 9.75
Rome 41.90 12.50 Milan 45.46 9.19 Naples 40.85 14.27 Turin 45.07 7.69 Genoa 44.41 8.93 Bologna 44.49 11.34 Florence 43.77 11.26 Bari 41.13 16.87 Verona 45.44 10.99 Venice 45.49 12.24 Trieste 45.65 13.77 Padua 45.41 11.88 Brescia 45.54 10.22 Parma 44.80 10.33 Ancona 43.62 13.51 Pescara 42.46 14.21 Perugia 43.11 12.39 Bolzano 46.50 11.35 Udine 46.06 13.24 Foggia 41.46 15.54 Salerno 40.68 14.77 Cosenza 39.30 16.25 VillaSanGiovanni 38.22 15.64 Messina 38.19 15.55 Catania 37.50 15.09 Palermo 38.12 13.36 Taranto 40.46 17.24 Pisa 43.72 10.40 Rimini 44.06 12.57 LaSpezia 44.10 9.82
Ljubljana 46.06 14.51 Maribor 46.55 15.65 Zagreb 45.81 15.98 Split 43.51 16.44 Rijeka 45.33 14.44 Zadar 44.12 15.23 Osijek 45.55 18.69 Dubrovnik 42.65 18.09 Sarajevo 43.86 18.41 Mostar 43.34 17.81 BanjaLuka 44.77 17.19 Belgrade 44.79 20.45 NoviSad 45.27 19.83 Nis 43.32 21.90 Podgorica 42.43 19.26 Tirana 41.33 19.82 Skopje 42.00 21.43 Pristina 42.66 21.17 Sofia 42.70 23.32 Plovdiv 42.14 24.75 Burgas 42.50 27.47 Varna 43.21 27.91 Ruse 43.86 25.97
Athens 37.98 23.73 Thessaloniki 40.64 22.94 Larissa 39.64 22.42 Ioannina 39.67 20.85 Patras 38.25 21.73 Kavala 40.94 24.41 Alexandroupoli 40.85 25.87 Istanbul 41.01 28.98 Edirne 41.68 26.56
Bucharest 44.43 26.10 ClujNapoca 46.77 23.60 Timisoara 45.75 21.23 Iasi 47.16 27.59 Constanta 44.18 28.65 Brasov 45.65 25.61 Sibiu 45.80 24.15 Craiova 44.32 23.80 Oradea 47.05 21.92 Arad 46.17 21.32 Pitesti 44.86 24.87 Bacau 46.57 26.91 Suceava 47.65 26.26
Budapest 47.50 19.04 Debrecen 47.53 21.63 Szeged 46.25 20.15 Pecs 46.07 18.23 Gyor 47.69 17.63 Nagykanizsa 46.45 16.99 Miskolc 48.10 20.78
Bratislava 48.15 17.11 Kosice 48.72 21.26 Zilina 49.22 18.74 BanskaBystrica 48.74 19.15 Prague 50.08 14.44 Brno 49.20 16.61 Ostrava 49.82 18.26 Plzen 49.75 13.38 Olomouc 49.59 17.25 CeskeBudejovice 48.97 14.47
Warsaw 52.23 21.01 Krakow 50.06 19.94 Lodz 51.76 19.46 Wroclaw 51.11 17.03 Poznan 52.41 16.93 Gdansk 54.35 18.65 Szczecin 53.43 14.55 Katowice 50.26 19.03 Lublin 51.25 22.57 Bialystok 53.13 23.16 Rzeszow 50.04 22.00 Torun 53.01 18.60 Suwalki 54.11 22.93 ZielonaGora 51.94 15.51 Koszalin 54.19 16.17 Olsztyn 53.78 20.49
Vilnius 54.69 25.28 Kaunas 54.90 23.90 Klaipeda 55.70 21.14 Riga 56.95 24.11 Tallinn 59.44 24.75 Tartu 58.38 26.72 Parnu 58.39 24.50 Panevezys 55.73 24.36 Daugavpils 55.87 26.54
Copenhagen 55.68 12.57 Odense 55.40 10.39 Kolding 55.49 9.47 Aarhus 56.16 10.20 Aalborg 57.05 9.92 Malmo 55.60 13.00 Gothenburg 57.71 11.97 Stockholm 59.33 18.07 Jonkoping 57.78 14.16 Linkoping 58.41 15.62 Helsingborg 56.05 12.69 Orebro 59.27 15.21 Karlstad 59.40 13.51 Gavle 60.67 17.14 Sundsvall 62.39 17.31 Umea 63.83 20.26 Lulea 65.58 22.15 Kalmar 56.66 16.36 Ostersund 63.18 14.64
Oslo 59.91 10.75 Lillehammer 61.12 10.47 Trondheim 63.43 10.40 Bergen 60.39 5.32 Stavanger 58.97 5.73 Kristiansand 58.15 8.00 Geilo 60.53 8.21 Oulu 65.01 25.47 Vaasa 63.10 21.62 Tampere 61.50 23.76 Helsinki 60.17 24.94 Turku 60.45 22.27 Jyvaskyla 62.24 25.75 Kuopio 62.89 27.68
`;

/** Neighbours along the main roads; a pair that stands in two corridors counts once. */
const CORRIDORS = `
Faro Lisbon Coimbra Porto Vigo ACoruna Gijon Santander Bilbao SanSebastian Bayonne Bordeaux Niort Poitiers Tours Orleans Paris
Lisbon Evora Badajoz Merida Madrid Zaragoza Lleida Barcelona Girona Perpignan Narbonne Montpellier Nimes Marseille Nice Genoa
Faro Huelva Seville Cordoba Madrid Burgos Bilbao
Coimbra Guarda Salamanca Valladolid Burgos Logrono Zaragoza Valencia
Cadiz Seville Merida Salamanca Madrid Valladolid Leon Gijon
Leon ACoruna
Leon Burgos SanSebastian Pamplona Logrono
Pamplona Zaragoza
Cadiz Malaga Granada Almeria Murcia Alicante Valencia Castellon Tarragona Barcelona
Cordoba Malaga
Cordoba Granada Murcia Albacete Madrid Valencia Albacete
Lleida Tarragona
Burgos Santander
Bayonne Pau Toulouse Narbonne
Bordeaux Toulouse Limoges Orleans
Bordeaux Limoges ClermontFerrand Lyon Chambery Turin Milan Brescia Verona Padua Venice Udine Villach Klagenfurt Graz Vienna Bratislava Gyor Budapest Szeged Arad Sibiu Pitesti Bucharest Constanta
Nantes Niort
Brest Rennes Nantes Angers Tours Bourges ClermontFerrand Montpellier
Rennes LeMans Paris Reims Metz Saarbrucken Mannheim Karlsruhe
Rennes Caen Rouen Paris Lille Ghent Antwerp Rotterdam Amsterdam
Caen LeHavre Rouen Amiens Lille Calais
Angers LeMans Tours
Orleans LeMans Caen
Orleans Bourges Limoges
Poitiers Limoges
Reims Amiens Calais Ghent Brussels Antwerp Eindhoven Arnhem
Reims Calais
Paris Amiens
Orleans Troyes Nancy Strasbourg Karlsruhe Stuttgart Ulm Augsburg Munich Salzburg Linz Vienna
Paris Troyes Dijon Lyon Valence Nimes
Paris Dijon
Reims Troyes
Valence Grenoble Chambery Geneva Lausanne Bern Zurich StGallen Bregenz Munich
Valence Marseille
Grenoble Lyon Geneva
Dijon Besancon Mulhouse Basel Zurich
Dijon Nancy Metz Luxembourg Namur Brussels
Besancon Lausanne
Mulhouse Strasbourg Metz
Mulhouse Freiburg Karlsruhe Mannheim Frankfurt Giessen Kassel Hannover Hamburg Flensburg Kolding Aarhus Aalborg
Basel Freiburg Strasbourg
Basel Bern
Zurich Lugano Milan Genoa LaSpezia Pisa Florence
Zurich Stuttgart
Bregenz Ulm
Bregenz Innsbruck
Luxembourg Trier Cologne
Luxembourg Saarbrucken
Luxembourg Liege
Lille Brussels Liege Aachen Cologne Frankfurt Wurzburg Nuremberg Regensburg Passau Linz
Namur Liege Eindhoven Utrecht Amsterdam Zwolle Groningen Bremen
Utrecht Rotterdam Eindhoven Dusseldorf
Utrecht Arnhem Dusseldorf Cologne
Utrecht Zwolle Osnabruck
Arnhem Zwolle
Arnhem Dortmund
Aachen Dusseldorf Dortmund Munster Osnabruck Bremen Hamburg Lubeck Rostock Szczecin
Cologne Dortmund Bielefeld Hannover Magdeburg Berlin Szczecin Koszalin Gdansk
Dortmund Kassel Erfurt Leipzig Dresden Wroclaw Katowice Krakow Rzeszow
Dortmund Giessen
Osnabruck Bielefeld
Hannover Bremen
Hamburg Kiel Flensburg
Kiel Lubeck
Hamburg Berlin Rostock
Magdeburg Leipzig Hof Nuremberg Munich
Berlin Leipzig
Berlin Dresden Prague Brno Bratislava Budapest
Berlin ZielonaGora Wroclaw Lodz
Berlin Poznan Lodz Warsaw Bialystok Suwalki Kaunas Panevezys Riga Parnu Tallinn
Poznan Wroclaw
Poznan Torun Gdansk Olsztyn Warsaw
Poznan ZielonaGora Szczecin
Torun Lodz Katowice Ostrava Olomouc Brno Vienna
Torun Olsztyn
Warsaw Lublin Rzeszow Kosice Miskolc Budapest
Warsaw Krakow Zilina BanskaBystrica Budapest
Ostrava Zilina Bratislava
BanskaBystrica Kosice
Olsztyn Suwalki
Bialystok Lublin
Kaunas Vilnius Daugavpils Tartu Tallinn
Vilnius Panevezys Klaipeda Riga Daugavpils
Kaunas Klaipeda
Riga Tartu Parnu
Chemnitz Dresden
Chemnitz Leipzig
Chemnitz Hof Regensburg Munich
Erfurt Wurzburg Kassel
Erfurt Hof Plzen Prague CeskeBudejovice Linz
Nuremberg Plzen
Prague Wroclaw
Prague Olomouc
Wurzburg Stuttgart Nuremberg Augsburg
Wurzburg Ulm
Mannheim Stuttgart
Frankfurt Mannheim Trier
Munich Innsbruck Bolzano Verona Bologna Florence Perugia Rome Naples Salerno Cosenza VillaSanGiovanni
Salzburg Villach Ljubljana Zagreb BanjaLuka Sarajevo Mostar Dubrovnik Podgorica Tirana
Salzburg Innsbruck
Passau Regensburg
Linz Graz Maribor Zagreb Nagykanizsa Budapest Debrecen Oradea ClujNapoca Brasov Bucharest
Maribor Ljubljana Trieste Venice Bologna Parma Milan
Trieste Udine
Trieste Rijeka Zagreb Osijek
Rijeka Zadar Split Dubrovnik
Split Mostar
Zagreb Zadar
Turin Genoa Parma
LaSpezia Parma Brescia
Bologna Rimini Ancona Pescara Foggia Bari Taranto Cosenza
Florence Pisa Rome Pescara
Perugia Ancona
Perugia Rimini
Naples Foggia
Salerno Taranto
Messina Catania Palermo Messina
Budapest Pecs Osijek NoviSad Szeged
Pecs Nagykanizsa
Vienna Gyor
Zagreb Belgrade NoviSad
Belgrade Nis Sofia Plovdiv Edirne Istanbul
Belgrade Timisoara Arad Oradea
Belgrade Sarajevo Podgorica
Sarajevo Osijek
Nis Skopje Thessaloniki Larissa Athens Patras Ioannina Larissa
Nis Pristina Skopje
Pristina Tirana Ioannina
Sofia Thessaloniki Kavala Alexandroupoli Istanbul
Alexandroupoli Edirne Burgas Varna Constanta
Plovdiv Burgas
Sofia Craiova Timisoara
Plovdiv Ruse Bucharest Bacau Suceava Iasi Bacau Brasov Sibiu ClujNapoca Suceava
Ruse Varna
Craiova Pitesti Brasov
Bucharest Craiova
Debrecen Miskolc
London Folkestone Southampton London Bristol Cardiff Birmingham Manchester Carlisle Glasgow Edinburgh Newcastle Leeds Cambridge London
Southampton Exeter Bristol Birmingham London
Southampton Bristol
Birmingham Leeds Manchester
Birmingham Cambridge
Carlisle Newcastle
Carlisle Edinburgh
Kolding Odense Copenhagen Malmo Kalmar Linkoping
Copenhagen Helsingborg
Malmo Helsingborg Gothenburg Oslo Lillehammer Trondheim Ostersund Sundsvall
Helsingborg Jonkoping Linkoping Stockholm Gavle Sundsvall Umea Lulea Oulu Kuopio Jyvaskyla Tampere Turku Helsinki Tampere Vaasa Oulu
Gothenburg Jonkoping Orebro Stockholm
Gothenburg Orebro Karlstad Oslo Geilo Bergen Stavanger Kristiansand Oslo
Orebro Gavle Ostersund
Helsinki Jyvaskyla Oulu
Vaasa Turku
`;

/** Ferries and the tunnel's shuttle, boarding included. */
export const LINKS: readonly Link[] = [
  { from: 'Calais', to: 'Folkestone', minutes: 65 },
  { from: 'VillaSanGiovanni', to: 'Messina', minutes: 60 },
  { from: 'Tallinn', to: 'Helsinki', minutes: 180 },
  { from: 'Dubrovnik', to: 'Bari', minutes: 660 },
];

const STRONG_SITES = new Set(
  (
    'Paris Lyon Lille Orleans Berlin Hamburg Munich Cologne Frankfurt Stuttgart Leipzig Hannover Nuremberg Amsterdam ' +
    'Brussels London Birmingham Zurich Vienna Linz Milan Bologna Rome Madrid Barcelona Burgos Valencia Zaragoza Lisbon ' +
    'Warsaw Poznan Prague Brno Budapest Copenhagen Odense Gothenburg Stockholm Oslo Jonkoping Kassel Dijon Bordeaux'
  ).split(' '),
);
const WEAK_SITES = new Set(
  (
    'Evora Guarda Almeria Leon Bourges Limoges Brest Trier Suwalki Olsztyn Koszalin Lublin Daugavpils Klaipeda Tartu ' +
    'Podgorica Tirana Sarajevo Mostar BanjaLuka Pristina Ioannina Kavala Alexandroupoli Burgas Varna Suceava Bacau Iasi ' +
    'Craiova Cosenza Taranto Catania Palermo Ostersund Geilo Vaasa Kuopio Messina Patras'
  ).split(' '),
);

function chargeKwAt(name: string): number {
  if (STRONG_SITES.has(name)) return 300;
  return WEAK_SITES.has(name) ? 50 : 150;
}

function parsePlaces(text: string): City[] {
  const words = text.trim().split(/\s+/);
  const cities: City[] = [];
  for (let i = 0; i + 2 < words.length; i += 3) {
    const [name = '', lat, lon] = words.slice(i, i + 3);
    cities.push({ name, latDeg: Number(lat), lonDeg: Number(lon), chargeKw: chargeKwAt(name) });
  }
  return cities;
}

function parseCorridors(text: string): (readonly [string, string])[] {
  const roads = new Map<string, readonly [string, string]>();
  for (const line of text.trim().split('\n')) {
    const names = line.split(' ');
    for (const [i, to] of names.entries()) {
      const from = names[i - 1];
      if (from === undefined) continue;
      const pair = from < to ? ([from, to] as const) : ([to, from] as const);
      roads.set(pair.join(' '), pair);
    }
  }
  return [...roads.values()];
}

export const CITIES: readonly City[] = parsePlaces(PLACES);
export const ROADS: readonly (readonly [string, string])[] = parseCorridors(CORRIDORS);
