package promenade

import "gesta/http/web"

func (a api) contactRoutes() []web.Route { return nil }
