package promenade

import "gesta/http/web"

func (a api) profileRoutes() []web.Route { return nil }
